#include "base/table.h"

#include "base/bytes.h"

static struct iip_node **iip_table_segment(struct iip_table *tab)
{
    struct iip_node **seg = (struct iip_node **)tab->mem.alloc(tab->mem.ctx, IIP_TABLE_SEG * sizeof(*seg));
    if (seg)
        IIP_ZERO(seg, IIP_TABLE_SEG * sizeof(*seg));
    return seg;
}

static struct iip_node ***iip_table_directory(struct iip_table *tab, iip_u32 segs)
{
    struct iip_node ***dir = (struct iip_node ***)tab->mem.alloc(tab->mem.ctx, segs * sizeof(*dir));
    if (dir)
        IIP_ZERO(dir, segs * sizeof(*dir));
    return dir;
}

IIP_LOCAL int iip_table_init(struct iip_table *tab, const struct iip_table_mem *mem)
{
    IIP_ZERO(tab, sizeof(*tab));
    tab->mem = *mem;
    tab->segs = 4;
    tab->mask = IIP_TABLE_SEG - 1;
    tab->seg = iip_table_directory(tab, tab->segs);
    if (!tab->seg)
        return -1;
    tab->seg[0] = iip_table_segment(tab);
    if (!tab->seg[0]) {
        iip_table_free(tab);
        return -1;
    }
    return 0;
}

IIP_LOCAL void iip_table_free(struct iip_table *tab)
{
    iip_u32 i;
    if (!tab->seg)
        return;
    for (i = 0; i < tab->segs && tab->seg[i]; i++)
        tab->mem.release(tab->mem.ctx, tab->seg[i], IIP_TABLE_SEG * sizeof(*tab->seg[i]));
    tab->mem.release(tab->mem.ctx, tab->seg, tab->segs * sizeof(*tab->seg));
    tab->seg = 0;
}

/* Makes sure that bucket `i` has memory; 0 when it does not get any. */
static int iip_table_reach(struct iip_table *tab, iip_u32 i)
{
    iip_u32 s = i >> IIP_TABLE_SEG_BITS;
    struct iip_node ***dir;
    if (s >= tab->segs) {
        dir = iip_table_directory(tab, tab->segs * 2);
        if (!dir)
            return 0;
        IIP_COPY(dir, tab->seg, tab->segs * sizeof(*dir));
        tab->mem.release(tab->mem.ctx, tab->seg, tab->segs * sizeof(*dir));
        tab->seg = dir;
        tab->segs *= 2;
    }
    if (!tab->seg[s])
        tab->seg[s] = iip_table_segment(tab);
    return tab->seg[s] != 0;
}

static void iip_table_split(struct iip_table *tab)
{
    iip_u32 high = tab->split + tab->mask + 1;
    struct iip_node **low_link;
    struct iip_node **high_link;
    struct iip_node *node;

    if (!iip_table_reach(tab, high))
        return;
    low_link = &tab->seg[tab->split >> IIP_TABLE_SEG_BITS][tab->split & (IIP_TABLE_SEG - 1)];
    high_link = &tab->seg[high >> IIP_TABLE_SEG_BITS][high & (IIP_TABLE_SEG - 1)];
    for (node = *low_link; node; node = node->next) {
        if (node->hash & (tab->mask + 1)) {
            *high_link = node;
            high_link = &node->next;
        } else {
            *low_link = node;
            low_link = &node->next;
        }
    }
    *low_link = 0;
    *high_link = 0;
    if (++tab->split > tab->mask) {
        tab->mask = tab->mask * 2 + 1;
        tab->split = 0;
    }
}

IIP_LOCAL void iip_table_add(struct iip_table *tab, struct iip_node *node)
{
    struct iip_node **bucket;
    if (++tab->count > (tab->mask + 1 + tab->split) / 8 * 9)
        iip_table_split(tab);
    bucket = iip_table_bucket(tab, node->hash);
    node->next = *bucket;
    *bucket = node;
}

IIP_LOCAL void iip_table_del(struct iip_table *tab, struct iip_node *node)
{
    struct iip_node **link;
    if (node->next == node)
        return;
    link = iip_table_bucket(tab, node->hash);
    while (*link && *link != node)
        link = &(*link)->next;
    if (!*link)
        return;
    *link = node->next;
    tab->count--;
}

/* A node that points to itself stands in no table. */
IIP_LOCAL void iip_table_replace(struct iip_table *tab, struct iip_node *old, struct iip_node *node)
{
    struct iip_node **link = iip_table_bucket(tab, old->hash);
    while (*link != old)
        link = &(*link)->next;
    *link = node;
    node->next = old->next;
    old->next = old;
}

IIP_LOCAL struct iip_node *iip_table_next(const struct iip_table *tab, const struct iip_node *node)
{
    iip_u32 buckets = tab->mask + 1 + tab->split;
    iip_u32 i = 0;
    if (node) {
        if (node->next)
            return node->next;
        i = node->hash & tab->mask;
        if (i < tab->split)
            i = node->hash & (tab->mask * 2 + 1);
        i++;
    }
    for (; i < buckets; i++) {
        if (tab->seg[i >> IIP_TABLE_SEG_BITS][i & (IIP_TABLE_SEG - 1)])
            return tab->seg[i >> IIP_TABLE_SEG_BITS][i & (IIP_TABLE_SEG - 1)];
    }
    return 0;
}
