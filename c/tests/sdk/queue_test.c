/*
 * queue_test.c - work in a queue that the library does not know (a language's executor) and the words that wake its
 * loop: whatever is brought is seen, at whichever moment of a turn it comes, in each way to assign cores.
 */
#include <poll.h>
#include <semaphore.h>

#include "peer.h"

enum { WAKERS = 2, ITEMS = 400 };

static _Atomic uint32_t brought[WAKERS]; /* the queues: each item is a number */
static sem_t taken[WAKERS];
static uint32_t seen[WAKERS];            /* the owner's */

/* Brings an item, wakes, and waits until it was taken: a wake that is lost stays lost, nothing else comes by. */
static void bring_and_wait(const struct side *s, uint32_t w, uint32_t item)
{
    atomic_store_explicit(&brought[w], item, memory_order_relaxed);
    if (item % 3)
        wake_by_words(s);
    else
        CHECK_EQ(iip_loop_wake(s->loop), IIP_OK);
    while (sem_wait(&taken[w]))
        ;
}

struct waker {
    struct side *side;
    uint32_t number;
};

static void *waker(void *arg)
{
    const struct waker *w = arg;
    uint32_t i;
    for (i = 1; i <= ITEMS; i++)
        bring_and_wait(w->side, w->number, i);
    return NULL;
}

/* The owner's look at his queues; how many of them are at their end. */
static uint32_t look(void)
{
    uint32_t w, ended = 0;
    for (w = 0; w < WAKERS; w++) {
        uint32_t item = atomic_load_explicit(&brought[w], memory_order_relaxed);
        if (item != seen[w])
            sem_post(&taken[w]);
        seen[w] = item;
        ended += item == ITEMS;
    }
    return ended;
}

static void wait_or_park(struct side *s, int parks)
{
    struct pollfd fd = {.fd = iip_loop_fd(s->loop), .events = POLLIN};
    s->turn.wait_us = -1;
    turn(s, parks ? IIP_TURN_PARK : IIP_TURN_WAIT);
    if (s->turn.state & IIP_STATE_PARKED && look() < WAKERS)
        poll(&fd, 1, -1);
}

static void every_item_is_seen(const char *port, uint32_t cores, int parks)
{
    struct peer a;
    struct waker w[WAKERS];
    pthread_t thread[WAKERS];
    uint32_t i;
    peer_open(&a, port, 1, cores);
    for (i = 0; i < WAKERS; i++) {
        atomic_store(&brought[i], 0);
        seen[i] = 0;
        sem_init(&taken[i], 0, 0);
    }
    peer_start(&a, cores);
    for (i = 0; i < WAKERS; i++) {
        w[i] = (struct waker){.side = &a.side, .number = i};
        pthread_create(&thread[i], NULL, waker, &w[i]);
    }
    while (look() < WAKERS)
        wait_or_park(&a.side, parks);
    for (i = 0; i < WAKERS; i++)
        pthread_join(thread[i], NULL);
    peer_close(&a);
}

static void a_loop_that_waits_sees_every_item(void)
{
    every_item_is_seen("pair:queue1", IIP_CORES_UNIFIED, 0);
    every_item_is_seen("pair:queue2", IIP_CORES_SPLIT, 0);
    every_item_is_seen("pair:queue3", IIP_CORES_MERGE, 0);
}

static void a_loop_that_parks_sees_every_item(void)
{
    every_item_is_seen("pair:queue4", IIP_CORES_UNIFIED, 1);
    every_item_is_seen("pair:queue5", IIP_CORES_SPLIT, 1);
    every_item_is_seen("pair:queue6", IIP_CORES_MERGE, 1);
}

int main(void)
{
    RUN(a_loop_that_waits_sees_every_item);
    RUN(a_loop_that_parks_sees_every_item);
    return check_done();
}
