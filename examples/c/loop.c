/* loop.c - small things of one loop: operations, releases, lists, the table from handles to state. */
#include "common.h"

#include <stdlib.h>
#include <string.h>

void ex_list_init(struct ex_list *list)
{
    list->next = list->prev = list;
}

void ex_list_put(struct ex_list *list, struct ex_list *item)
{
    item->prev = list->prev;
    item->next = list;
    list->prev->next = item;
    list->prev = item;
}

void ex_list_cut(struct ex_list *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    ex_list_init(item);
}

int ex_list_empty(const struct ex_list *list)
{
    return list->next == list;
}

struct iip_op *ex_op(struct ex_loop *l, uint16_t code, uint64_t obj)
{
    struct iip_op *op;
    if (l->turn.op_n >= l->area.op_cap)
        return NULL;
    l->op_owner[l->turn.op_n] = NULL;
    op = &l->area.ops[l->turn.op_n++];
    memset(op, 0, sizeof *op);
    op->code = code;
    op->obj = obj;
    return op;
}

void ex_release(struct ex_loop *l, uint64_t buf)
{
    if (!buf)
        return;
    if (l->turn.release_n < l->area.release_cap)
        l->area.releases[l->turn.release_n++] = buf;
    else
        iip_buf_release(buf);
}

void ex_count(struct ex_loop *l, uint32_t i, uint64_t n)
{
    /* Only this thread writes it; others read it for the statistics. */
    uint64_t was = atomic_load_explicit(&l->count[i], memory_order_relaxed);
    atomic_store_explicit(&l->count[i], was + n, memory_order_relaxed);
}

static uint32_t slot_of(uint64_t handle)
{
    return (uint32_t)(handle & ((1u << IIP_HANDLE_SLOT_BITS) - 1));
}

int ex_bind(struct ex_loop *l, uint64_t handle, void *state)
{
    uint32_t slot = slot_of(handle);
    uint32_t cap = l->conn_cap ? l->conn_cap : 64;
    void **grown;
    if (slot >= l->conn_cap) {
        while (cap <= slot)
            cap *= 2;
        grown = realloc(l->conns, cap * sizeof *grown);
        if (!grown)
            return -1;
        memset(grown + l->conn_cap, 0, (cap - l->conn_cap) * sizeof *grown);
        l->conns = grown;
        l->conn_cap = cap;
    }
    l->conns[slot] = state;
    return 0;
}

void *ex_bound(const struct ex_loop *l, uint64_t handle)
{
    uint32_t slot = slot_of(handle);
    return slot < l->conn_cap ? l->conns[slot] : NULL;
}
