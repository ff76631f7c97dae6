/*
 * signal.c - adds SA_ONSTACK to the signal handlers that DPDK installs.
 *
 * The EAL installs one for SIGBUS, net_tap one for a real-time signal. A handler without SA_ONSTACK that runs on a
 * thread with a small stack, as Go's threads have, ends the process. The application's own handlers stay as they are.
 */
#include <signal.h>
#include <string.h>

#include "dpdk.h"

static struct sigaction seen[NSIG]; /* under the open lock */

static int has_handler(const struct sigaction *sa)
{
    return (sa->sa_flags & SA_SIGINFO) || (sa->sa_handler != SIG_DFL && sa->sa_handler != SIG_IGN);
}

void dpdk_signals_note(void)
{
    int sig;

    memset(seen, 0, sizeof(seen));
    for (sig = 1; sig < NSIG; sig++)
        sigaction(sig, NULL, &seen[sig]);
}

void dpdk_signals_mend(void)
{
    struct sigaction sa;
    int sig;

    for (sig = 1; sig < NSIG; sig++) {
        if (sigaction(sig, NULL, &sa) != 0 || !has_handler(&sa) || (sa.sa_flags & SA_ONSTACK))
            continue;
        if (sa.sa_sigaction == seen[sig].sa_sigaction)
            continue; /* it was there before DPDK */
        sa.sa_flags |= SA_ONSTACK;
        sigaction(sig, &sa, NULL);
    }
}
