/* keep.c - a thread that keeps buffers as long as it likes, looks at their bytes again, and releases them. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "soak.h"

enum { BATCH = 16, FAULT_EVERY = 1000 };

void kept_add(struct kept_list *list, const struct kept *item)
{
    if (list->n == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 256;
        list->items = realloc(list->items, list->cap * sizeof *list->items);
        if (!list->items)
            abort();
    }
    list->items[list->n++] = *item;
}

int kept_check(const struct kept *item, const char *when)
{
    uint32_t at = content_check(item->key, item->offset, item->bytes, item->len);
    if (at == item->len)
        return 1;
    wrong(&totals.stale, "byte %u of %u of a buffer, at %llu of its stream, is wrong %s", at, item->len,
          (unsigned long long)item->offset, when);
    return 0;
}

void keeper_give(struct keeper *k, const struct kept *item)
{
    uint64_t n = atomic_fetch_add(&totals.kept, 1) + 1;
    uint64_t max = atomic_load(&totals.kept_max);
    while (n > max && !atomic_compare_exchange_weak(&totals.kept_max, &max, n))
        ;
    pthread_mutex_lock(&k->lock);
    kept_add(&k->inbox, item);
    pthread_mutex_unlock(&k->lock);
}

static void take_inbox(struct keeper *k)
{
    size_t i;
    pthread_mutex_lock(&k->lock);
    for (i = 0; i < k->inbox.n; i++)
        kept_add(&k->mine, &k->inbox.items[i]);
    k->inbox.n = 0;
    pthread_mutex_unlock(&k->lock);
}

/* The other ways to look at a buffer say the same. */
static void look_otherwise(const struct kept *item)
{
    struct iip_span span;
    if (iip_buf_spans(item->buf, &span, 1) < 1 ||
        (item->whole && (span.addr != (uintptr_t)item->bytes || span.len != item->len)))
        wrong(&totals.errors, "iip_buf_spans does not say what the event said");
}

/* Gives it back by copying it out. */
static void detach(const struct kept *item)
{
    uint8_t *copy = malloc(item->len);
    if (!copy || iip_buf_detach(item->buf, copy, item->len) != (int32_t)item->len ||
        content_check(item->key, item->offset, copy, item->len) != item->len)
        wrong(&totals.stale, "iip_buf_detach does not give the bytes of the stream");
    free(copy);
    atomic_fetch_add(&totals.detached, 1);
}

/* 1: the reference was given back, or is not to be, already. */
static int spoil(struct keeper *k, const struct kept *item)
{
    if (k->fault == FAULT_NONE || k->released % FAULT_EVERY != 0)
        return 0;
    if (k->fault != FAULT_LEAK)
        iip_buf_release(item->buf);
    if (k->fault == FAULT_STALE) {
        usleep(20000);
        kept_check(item, "after its release, as it should be");
    }
    return k->fault != FAULT_TWICE;
}

/* A random one leaves `mine`; 1: its handle is in *buf, to be released. */
static int let_go(struct keeper *k, uint64_t *buf)
{
    size_t i = rng_below(&k->rng, k->mine.n);
    struct kept item = k->mine.items[i];
    uint64_t way = rng_below(&k->rng, 16);
    k->mine.items[i] = k->mine.items[--k->mine.n];
    kept_check(&item, "when its keeper gives it back");
    atomic_fetch_sub(&totals.kept, 1);
    k->released++;
    if (spoil(k, &item))
        return 0;
    if (way == 0)
        look_otherwise(&item);
    if (way == 1 && item.whole) {
        detach(&item);
        return 0;
    }
    *buf = item.buf;
    return 1;
}

static void release_down_to(struct keeper *k, size_t n)
{
    while (k->mine.n > n) {
        uint64_t bufs[BATCH];
        uint32_t count = 0;
        while (count < BATCH && k->mine.n > n)
            count += (uint32_t)let_go(k, &bufs[count]);
        if (iip_buf_release_n(bufs, count) != (int32_t)count)
            wrong(&totals.errors, "a release was refused: the buffer is stale");
    }
}

/* Nothing, a few, many, or all that come for a while; some of those who keep all stop when buffers are few. */
static void choose_aim(struct keeper *k)
{
    static const size_t aims[] = {0, 20, 200, 2000, SIZE_MAX};
    k->aim = aims[rng_below(&k->rng, sizeof aims / sizeof aims[0])];
    k->soft = rng_below(&k->rng, 4) != 0;
    k->until_ms = now_ms() + 10 + rng_below(&k->rng, 300);
}

static void *keep(void *arg)
{
    struct keeper *k = arg;
    while (!atomic_load(&k->stop)) {
        take_inbox(k);
        if (now_ms() >= k->until_ms)
            choose_aim(k);
        if (k->soft && (atomic_load(&k->low[0]) || atomic_load(&k->low[1])) && k->aim > k->mine.n / 2)
            k->aim = k->mine.n / 2;
        release_down_to(k, atomic_load(&k->empty) ? 0 : k->aim);
        release_down_to(k, k->mine.n - k->mine.n / 64);
        usleep(500);
    }
    take_inbox(k);
    release_down_to(k, 0);
    return NULL;
}

void keeper_start(struct keeper *k)
{
    pthread_mutex_init(&k->lock, NULL);
    pthread_create(&k->thread, NULL, keep, k);
}

void keeper_end(struct keeper *k)
{
    atomic_store(&k->stop, 1);
    pthread_join(k->thread, NULL);
    pthread_mutex_destroy(&k->lock);
    free(k->inbox.items);
    free(k->mine.items);
}
