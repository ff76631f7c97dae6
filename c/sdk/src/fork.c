/*
 * fork.c - telling a parent from its forked child with one load.
 *
 * A page that the kernel wipes in the child holds the number of the process; objects remember the number under which
 * they were made. The child, which finds 0, is given the next number when it opens an engine of its own.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sdk.h"

static _Atomic uint32_t *iip_fork_page;
static uint32_t iip_fork_last; /* survives the fork */
static pthread_mutex_t iip_fork_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t iip_fork_once = PTHREAD_ONCE_INIT;
static _Atomic uint32_t iip_fork_spare; /* where the page could not be had: forks go unnoticed */

/* The lock may be held by another thread while this one forks; the child must not find it so. */
static void iip_fork_child(void)
{
    pthread_mutex_init(&iip_fork_lock, NULL);
}

static void iip_fork_init(void)
{
    size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED && madvise(page, bytes, MADV_WIPEONFORK) == 0)
        iip_fork_page = page;
    else
        iip_fork_page = &iip_fork_spare;
    pthread_atfork(NULL, NULL, iip_fork_child);
}

uint32_t iip_epoch(void)
{
    uint32_t epoch;
    pthread_once(&iip_fork_once, iip_fork_init);
    pthread_mutex_lock(&iip_fork_lock);
    epoch = atomic_load_explicit(iip_fork_page, memory_order_relaxed);
    if (!epoch) {
        epoch = ++iip_fork_last;
        atomic_store_explicit(iip_fork_page, epoch, memory_order_relaxed);
    }
    pthread_mutex_unlock(&iip_fork_lock);
    return epoch;
}

int32_t iip_epoch_ok(uint32_t epoch)
{
    return atomic_load_explicit(iip_fork_page, memory_order_relaxed) == epoch;
}
