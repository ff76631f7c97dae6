/*
 * table.h - a hash table that grows a bucket at a time (linear hashing, Litwin 1980).
 *
 * Entries embed a node and bring a 32-bit keyed hash. Each insertion beyond nine eighths load splits one bucket, so
 * no call ever moves more than one chain, and memory comes in segments of 512 buckets. When the host refuses a segment
 * the chains merely get longer.
 */
#ifndef IIP_BASE_TABLE_H
#define IIP_BASE_TABLE_H

#include "iip/types.h"

enum { IIP_TABLE_SEG_BITS = 9, IIP_TABLE_SEG = 1 << IIP_TABLE_SEG_BITS };

struct iip_node {
    struct iip_node *next;
    iip_u32 hash;
    iip_u32 word; /* the owner's own: a part of its key */
};

/* Memory for the table: alloc(ctx, bytes) may answer null; release gives it back. */
struct iip_table_mem {
    void *ctx;
    void *(*alloc)(void *ctx, iip_size bytes);
    void (*release)(void *ctx, void *p, iip_size bytes);
};

struct iip_table {
    struct iip_node ***seg;  /* directory of segments */
    iip_u32 segs;            /* segments that the directory has room for */
    iip_u32 mask;            /* buckets - 1 at the start of this doubling */
    iip_u32 split;           /* the next bucket to split */
    iip_u32 count;           /* entries */
    struct iip_table_mem mem;
};

/* 0, or -1 without memory for the first segment. */
IIP_LOCAL int iip_table_init(struct iip_table *tab, const struct iip_table_mem *mem);
IIP_LOCAL void iip_table_free(struct iip_table *tab);
IIP_LOCAL void iip_table_add(struct iip_table *tab, struct iip_node *node);
/* A node that iip_table_replace took out is left alone. */
IIP_LOCAL void iip_table_del(struct iip_table *tab, struct iip_node *node);
/* `node`, which has the hash of `old`, stands where `old` stood. */
IIP_LOCAL void iip_table_replace(struct iip_table *tab, struct iip_node *old, struct iip_node *node);
/* Visits all: null first, then the last answer; null at the end. Deleting the answer before asking on is not allowed. */
IIP_LOCAL struct iip_node *iip_table_next(const struct iip_table *tab, const struct iip_node *node);

IIP_INLINE struct iip_node **iip_table_bucket(const struct iip_table *tab, iip_u32 hash)
{
    iip_u32 i = hash & tab->mask;
    if (i < tab->split)
        i = hash & (tab->mask * 2 + 1);
    return &tab->seg[i >> IIP_TABLE_SEG_BITS][i & (IIP_TABLE_SEG - 1)];
}

#endif
