/* bridge.h - the interface of libiip as cgo sees it, and what a turn is made of. */
#ifndef IIP_GO_BRIDGE_H
#define IIP_GO_BRIDGE_H

#ifdef IIP_SYSTEM
#include <iip/iip.h>
#else
#include "iip.h"
#endif

/*
 * A turn by whichever thread the goroutine happens to be on: the loop changes its owner within one crossing, so the
 * goroutine need not be locked to a thread, and waking it costs what waking a goroutine costs.
 */
static inline int32_t iip_go_turn_anywhere(struct iip_loop *loop, struct iip_turn *turn)
{
    int32_t n = iip_loop_attach(loop);
    if (n < 0)
        return n;
    n = iip_loop_turn(loop, turn);
    iip_loop_detach(loop);
    return n;
}

/* Posts an operation with addresses, which the library copies before this returns. */
static inline int32_t iip_go_post(struct iip_loop *loop, const struct iip_op *op, const struct iip_addrs *addrs)
{
    struct iip_op posted = *op;
    if (posted.code == IIP_OP_CONNECT || posted.code == IIP_OP_LISTEN || posted.code == IIP_OP_UDP_OPEN ||
        posted.code == IIP_OP_UDP_SEND || posted.code == IIP_OP_UDP_SEND_COPY)
        posted.arg = (uint64_t)(uintptr_t)addrs;
    posted.aux = 0;
    return iip_loop_post(loop, &posted, 1);
}

#endif
