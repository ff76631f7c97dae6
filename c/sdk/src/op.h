/* op.h - what op.c and send.c share. */
#ifndef IIP_SDK_OP_H
#define IIP_SDK_OP_H

#include "sdk.h"

/* The connection that an operation names, with IIP_OK; else IIP_E_STALE, or IIP_E_CLOSED: its end is yet to be told. */
struct iip_obj *iip_op_conn(const struct iip_loop *loop, const struct iip_op *op, int32_t *status);
struct iip_obj *iip_op_udp(const struct iip_loop *loop, const struct iip_op *op, int32_t *status);
/* The addresses that it names, zeros where it names none. IIP_E_RANGE. */
int32_t iip_op_addrs(const struct iip_loop *loop, const struct iip_op *op, struct iip_endpoint *local,
                     struct iip_endpoint *peer);
int iip_op_any(const struct iip_endpoint *e); /* zeros */

int32_t iip_op_send_buf(struct iip_loop *loop, struct iip_op *op);
int32_t iip_op_send_extern(struct iip_loop *loop, struct iip_op *op);
int32_t iip_op_send_copy(struct iip_loop *loop, struct iip_op *op);
int32_t iip_op_udp_send(struct iip_loop *loop, struct iip_op *op);
int32_t iip_op_udp_send_copy(struct iip_loop *loop, struct iip_op *op);

#endif
