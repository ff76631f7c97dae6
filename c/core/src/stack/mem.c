#include "stack/stack.h"

IIP_LOCAL void *iip_mem_alloc(struct iip_stack *stk, iip_size bytes)
{
    void *p = 0;
    if (!stk->mem_limit || stk->mem_used + bytes <= stk->mem_limit)
        p = stk->host.mem(stk->host.ctx, 0, bytes);
    if (!p) {
        iip_count(stk, IIP_CTR_NO_MEM);
        return 0;
    }
    stk->mem_used += bytes;
    return p;
}

IIP_LOCAL void *iip_mem_zalloc(struct iip_stack *stk, iip_size bytes)
{
    void *p = iip_mem_alloc(stk, bytes);
    if (p)
        IIP_ZERO(p, bytes);
    return p;
}

IIP_LOCAL void iip_mem_free(struct iip_stack *stk, void *p, iip_size bytes)
{
    if (!p)
        return;
    stk->mem_used -= bytes;
    stk->host.mem(stk->host.ctx, p, 0);
}

static void *iip_table_mem_alloc(void *ctx, iip_size bytes)
{
    return iip_mem_alloc((struct iip_stack *)ctx, bytes);
}

static void iip_table_mem_release(void *ctx, void *p, iip_size bytes)
{
    iip_mem_free((struct iip_stack *)ctx, p, bytes);
}

IIP_LOCAL void iip_table_mem_of(struct iip_stack *stk, struct iip_table_mem *mem)
{
    mem->ctx = stk;
    mem->alloc = iip_table_mem_alloc;
    mem->release = iip_table_mem_release;
}
