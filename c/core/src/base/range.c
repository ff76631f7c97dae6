#include "base/range.h"

#include "iip/core.h"

IIP_LOCAL iip_u32 iip_ranges_find(const struct iip_ranges *set, iip_u32 seq)
{
    iip_u32 low = 0;
    iip_u32 high = set->n;
    while (low < high) {
        iip_u32 mid = (low + high) / 2;
        if (iip_seq_lt(seq, set->r[mid].right))
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

/* Index of the first range that touches [left, ...) or lies behind it. */
static iip_u32 iip_ranges_touch(const struct iip_ranges *set, iip_u32 left)
{
    return iip_ranges_find(set, left - 1);
}

IIP_LOCAL int iip_ranges_fits(const struct iip_ranges *set, iip_u32 left, iip_u32 right)
{
    iip_u32 i = iip_ranges_touch(set, left);
    if (set->n < set->cap)
        return 1;
    return i < set->n && iip_seq_leq(set->r[i].left, right);
}

IIP_LOCAL void iip_ranges_remove(struct iip_ranges *set, iip_u32 i)
{
    set->n--;
    IIP_MOVE(&set->r[i], &set->r[i + 1], (set->n - i) * sizeof(set->r[0]));
}

static void iip_range_join(struct iip_range *a, const struct iip_range *b)
{
    if (!b->head)
        return;
    if (a->head)
        a->tail->link = b->head;
    else
        a->head = b->head;
    a->tail = b->tail;
}

IIP_LOCAL iip_u32 iip_ranges_add(struct iip_ranges *set, iip_u32 left, iip_u32 right, struct iip_pkt *pkt)
{
    iip_u32 i = iip_ranges_touch(set, left);
    struct iip_range sum;

    sum.left = left;
    sum.right = right;
    sum.head = pkt;
    sum.tail = pkt;
    while (sum.tail && sum.tail->link)
        sum.tail = sum.tail->link;
    if (i < set->n && iip_seq_leq(set->r[i].left, left)) { /* it continues this one */
        struct iip_range first = set->r[i];
        iip_range_join(&first, &sum);
        first.right = iip_seq_max(first.right, right);
        sum = first;
        iip_ranges_remove(set, i);
    }
    while (i < set->n && iip_seq_leq(set->r[i].left, sum.right)) {
        iip_range_join(&sum, &set->r[i]);
        sum.right = iip_seq_max(sum.right, set->r[i].right);
        iip_ranges_remove(set, i);
    }
    IIP_MOVE(&set->r[i + 1], &set->r[i], (set->n - i) * sizeof(set->r[0]));
    set->r[i] = sum;
    set->n++;
    return i;
}

IIP_LOCAL void iip_ranges_cut(struct iip_ranges *set, iip_u32 seq)
{
    iip_u32 i = iip_ranges_find(set, seq);
    if (!set->n)
        return;
    set->n -= i;
    IIP_MOVE(&set->r[0], &set->r[i], set->n * sizeof(set->r[0]));
    if (set->n)
        set->r[0].left = iip_seq_max(set->r[0].left, seq);
}

IIP_LOCAL iip_u32 iip_ranges_cover(const struct iip_ranges *set, iip_u32 left, iip_u32 right)
{
    iip_u32 bytes = 0;
    iip_u32 i;
    iip_u32 l;
    iip_u32 r;
    for (i = iip_ranges_find(set, left); i < set->n && iip_seq_lt(set->r[i].left, right); i++) {
        l = iip_seq_max(set->r[i].left, left);
        r = iip_seq_min(set->r[i].right, right);
        bytes += r - l;
    }
    return bytes;
}
