/*
 * net.c - --model split and merge: a second thread for each loop, which does its networking.
 *
 * That is all there is to it: what turns the loop, and all else in these examples, does not know the model.
 */
#define _GNU_SOURCE
#include "common.h"

#include <sched.h>

/* On a core of its own it polls a port that has no interrupt, as any other would be looked at late. */
static void *net_main(void *arg)
{
    struct ex_loop *l = arg;
    int64_t wait_us = l->run->cfg->cores == IIP_CORES_SPLIT && l->run->info.polls ? 0 : -1;
    ex_net_pin(l);
    while (iip_loop_net(l->loop, wait_us) >= 0) {
        if (atomic_load_explicit(&l->run->net_stop, memory_order_relaxed))
            break;
    }
    iip_loop_detach(l->loop);
    return NULL;
}

/* The i-th loop goes to the i-th of the cores that this process may use. */
void ex_net_pin(const struct ex_loop *l)
{
    cpu_set_t all, one;
    uint32_t n, cpu;
    if (l->run->cfg->cores != IIP_CORES_MERGE || sched_getaffinity(0, sizeof all, &all) < 0)
        return;
    n = l->index % (uint32_t)CPU_COUNT(&all);
    for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &all) && n-- == 0)
            break;
    }
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    pthread_setaffinity_np(pthread_self(), sizeof one, &one);
}

int ex_net_begin(struct ex_loop *l)
{
    if (l->run->cfg->cores == IIP_CORES_UNIFIED)
        return 0;
    l->net_runs = pthread_create(&l->net, NULL, net_main, l) == 0;
    return l->net_runs ? 0 : -1;
}

void ex_net_end(struct ex_loop *l)
{
    if (!l->net_runs)
        return;
    atomic_store(&l->run->net_stop, 1);
    iip_loop_wake(l->loop);
    pthread_join(l->net, NULL);
    l->net_runs = 0;
}
