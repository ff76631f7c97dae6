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

IIP_LOCAL void iip_pool_init(struct iip_pool *pool, iip_u32 size, iip_u32 chunk)
{
    pool->free = 0;
    pool->chunks = 0;
    pool->size = (size + 7) & ~7U;
    pool->chunk = chunk;
}

static iip_size iip_pool_chunk_bytes(const struct iip_pool *pool)
{
    return 16 + (iip_size)pool->size * pool->chunk;
}

static int iip_pool_grow(struct iip_stack *stk, struct iip_pool *pool)
{
    iip_u8 *chunk = (iip_u8 *)iip_mem_alloc(stk, iip_pool_chunk_bytes(pool));
    iip_u32 i;
    if (!chunk)
        return -1;
    *(void **)(void *)chunk = pool->chunks;
    pool->chunks = chunk;
    for (i = pool->chunk; i-- > 0;)
        iip_pool_put(pool, chunk + 16 + (iip_size)pool->size * i);
    return 0;
}

IIP_LOCAL void *iip_pool_get(struct iip_stack *stk, struct iip_pool *pool)
{
    void *p;
    if (!pool->free && iip_pool_grow(stk, pool))
        return 0;
    p = pool->free;
    pool->free = *(void **)p;
    return p;
}

IIP_LOCAL void iip_pool_put(struct iip_pool *pool, void *p)
{
    *(void **)p = pool->free;
    pool->free = p;
}

IIP_LOCAL void iip_pool_free(struct iip_stack *stk, struct iip_pool *pool)
{
    void *chunk;
    while ((chunk = pool->chunks) != 0) {
        pool->chunks = *(void **)chunk;
        iip_mem_free(stk, chunk, iip_pool_chunk_bytes(pool));
    }
    pool->free = 0;
}
