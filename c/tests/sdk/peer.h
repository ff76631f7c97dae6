/* peer.h - a side whose engine is unified, split or merged, with the thread that does its networking. */
#ifndef IIP_TESTS_SDK_PEER_H
#define IIP_TESTS_SDK_PEER_H

#include <pthread.h>
#include <stdatomic.h>

#include "world.h"

struct peer {
    struct side side; /* first: a peer is a side */
    pthread_t thread;
    _Atomic int over, joined; /* joined: the thread owns the loop */
    int32_t last; /* status that ended it */
    int runs;
    int64_t wait_us;
};

static inline void *network(void *arg)
{
    struct peer *p = arg;
    int32_t st = iip_loop_net(p->side.loop, 1);
    atomic_store(&p->joined, 1);
    while (st >= 0 && !atomic_load(&p->over))
        st = iip_loop_net(p->side.loop, p->wait_us);
    p->last = st;
    if (st >= 0)
        CHECK_EQ(iip_loop_detach(p->side.loop), IIP_OK);
    return NULL;
}

static inline void network_begin(struct peer *p, int64_t wait_us)
{
    atomic_store(&p->over, 0);
    atomic_store(&p->joined, 0);
    p->wait_us = wait_us;
    p->runs = 1;
    pthread_create(&p->thread, NULL, network, p);
}

static inline void network_joined(struct peer *p)
{
    while (!atomic_load(&p->joined))
        usleep(100);
}

static inline void network_end(struct peer *p)
{
    if (!p->runs)
        return;
    atomic_store(&p->over, 1);
    CHECK_EQ(iip_loop_wake(p->side.loop), IIP_OK);
    pthread_join(p->thread, NULL);
    p->runs = 0;
}

static inline void peer_open(struct peer *p, const char *port, int number, uint32_t cores)
{
    struct iip_engine_cfg cfg = side_cfg(port, number);
    cfg.cores = cores;
    memset(p, 0, sizeof *p);
    if (!side_open(&p->side, &cfg))
        exit(1);
}

static inline void peer_start(struct peer *p, uint32_t cores)
{
    if (cores != IIP_CORES_UNIFIED)
        network_begin(p, cores == IIP_CORES_SPLIT ? 0 : -1);
}

static inline void peer_close(struct peer *p)
{
    turn_seen(&p->side, 0);
    network_end(p);
    side_close(&p->side);
}

#endif
