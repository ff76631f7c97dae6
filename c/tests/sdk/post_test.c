/* post_test.c - the queue of operations from other threads: order, all or none, full, many threads at once. */
#include <pthread.h>
#include <sched.h>

#include "check.h"
#include "sdk.h"

/* The owner's side without a loop: what iip_post_apply does with one cell. */
static uint64_t take(struct iip_post *post)
{
    struct iip_post_cell *cell = &post->cells[post->head & post->mask];
    uint64_t user = cell->op.user;
    atomic_store_explicit(&cell->turn, post->head + post->mask + 1, memory_order_release);
    post->head++;
    return user;
}

static void first_in_first_out_and_all_or_none(void)
{
    struct iip_post post = {0};
    struct iip_op ops[8] = {{.user = 1}, {.user = 2}, {.user = 3}};
    CHECK_EQ(iip_post_init(&post, 4), IIP_OK);
    CHECK(!iip_post_any(&post));
    CHECK_EQ(iip_post_put(&post, ops, 3), IIP_OK);
    CHECK_EQ(iip_post_put(&post, ops, 2), IIP_E_AGAIN); /* one cell is free: none of the two is taken */
    CHECK_EQ(iip_post_put(&post, ops, 5), IIP_E_RANGE); /* will never fit */
    CHECK_EQ(take(&post), 1);
    CHECK_EQ(iip_post_put(&post, ops, 2), IIP_OK);
    CHECK_EQ(iip_post_put(&post, ops, 1), IIP_E_AGAIN);
    CHECK_EQ(take(&post), 2);
    CHECK_EQ(take(&post), 3);
    CHECK_EQ(take(&post), 1);
    CHECK(iip_post_any(&post));
    CHECK_EQ(take(&post), 2);
    CHECK(!iip_post_any(&post));
    free(post.cells);
}

static void positions_wrap(void)
{
    struct iip_post post = {0};
    struct iip_op op = {.user = 7};
    uint32_t i;
    iip_post_init(&post, 2);
    post.head = UINT32_MAX - 1;
    atomic_store(&post.tail, post.head);
    for (i = 0; i < 2; i++)
        atomic_store(&post.cells[(post.head + i) & post.mask].turn, post.head + i);
    for (i = 0; i < 8; i++) {
        CHECK_EQ(iip_post_put(&post, &op, 1), IIP_OK);
        CHECK(iip_post_any(&post));
        CHECK_EQ(take(&post), 7);
        CHECK(!iip_post_any(&post));
    }
    free(post.cells);
}

static void addresses_travel_with_the_operation(void)
{
    struct iip_post post = {0};
    struct iip_addrs addrs = {.peer = {.port = 80}};
    struct iip_op op = {.code = IIP_OP_CONNECT, .arg = (uintptr_t)&addrs};
    const struct iip_addrs *copy;
    iip_post_init(&post, 2);
    CHECK_EQ(iip_post_put(&post, &op, 1), IIP_OK);
    addrs.peer.port = 1;
    copy = (const struct iip_addrs *)(uintptr_t)post.cells[0].op.arg;
    CHECK(copy != &addrs);
    CHECK_EQ(copy->peer.port, 80);
    free(post.cells);
}

enum { THREADS = 4, EACH = 20000 };

struct crowd {
    struct iip_post *post;
    uint64_t id;
};

/* Posts in threes, so that "in a row" can be seen. */
static void *crowd(void *arg)
{
    struct crowd *c = arg;
    uint64_t i;
    for (i = 0; i < EACH; i++) {
        struct iip_op ops[3] = {{.user = c->id << 32 | (3 * i)},
                                {.user = c->id << 32 | (3 * i + 1)},
                                {.user = c->id << 32 | (3 * i + 2)}};
        while (iip_post_put(c->post, ops, 3) == IIP_E_AGAIN)
            sched_yield();
    }
    return NULL;
}

static void many_threads_lose_and_tear_nothing(void)
{
    struct iip_post post = {0};
    struct crowd c[THREADS];
    pthread_t thread[THREADS];
    uint64_t next[THREADS] = {0}, last = 0;
    uint32_t i, got, wrong = 0;
    iip_post_init(&post, 64);
    for (i = 0; i < THREADS; i++) {
        c[i] = (struct crowd){&post, i};
        pthread_create(&thread[i], NULL, crowd, &c[i]);
    }
    for (got = 0; got < 3 * THREADS * EACH;) {
        uint64_t user;
        if (!iip_post_any(&post)) {
            sched_yield();
            continue;
        }
        user = take(&post);
        wrong += (uint32_t)user != next[user >> 32]++;        /* each thread's in its order */
        wrong += (uint32_t)user % 3 != 0 && user != last + 1; /* the rest of a three behind its start */
        last = user;
        got++;
    }
    for (i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    CHECK_EQ(wrong, 0);
    CHECK(!iip_post_any(&post));
    free(post.cells);
}

int main(void)
{
    RUN(first_in_first_out_and_all_or_none);
    RUN(positions_wrap);
    RUN(addresses_travel_with_the_operation);
    RUN(many_threads_lose_and_tear_nothing);
    return check_done();
}
