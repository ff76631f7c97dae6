#include "base/range.h"

#include "base/hash.h"
#include "check.h"
#include "iip/core.h"

static struct iip_range room[64];
static struct iip_ranges set;

static void empty(iip_u32 cap)
{
    memset(room, 0, sizeof(room));
    set.r = room;
    set.n = 0;
    set.cap = cap;
}

static void is(iip_u32 i, iip_u32 left, iip_u32 right)
{
    CHECK(i < set.n);
    CHECK_EQ(set.r[i].left, left);
    CHECK_EQ(set.r[i].right, right);
}

static void joins_what_touches(void)
{
    empty(64);
    CHECK_EQ(iip_ranges_add(&set, 10, 20, 0), 0);
    CHECK_EQ(iip_ranges_add(&set, 30, 40, 0), 1);
    CHECK_EQ(iip_ranges_add(&set, 0, 5, 0), 0);
    CHECK_EQ(set.n, 3);
    CHECK_EQ(iip_ranges_add(&set, 20, 30, 0), 1);
    CHECK_EQ(set.n, 2);
    is(0, 0, 5);
    is(1, 10, 40);
    CHECK_EQ(iip_ranges_add(&set, 3, 12, 0), 0);
    CHECK_EQ(set.n, 1);
    is(0, 0, 40);
}

static void finds_across_the_wrap(void)
{
    empty(64);
    iip_ranges_add(&set, 0xfffffff0U, 0xfffffff8U, 0);
    iip_ranges_add(&set, 4, 8, 0);
    CHECK_EQ(set.n, 2);
    CHECK_EQ(iip_ranges_find(&set, 0xffffffe0U), 0);
    CHECK_EQ(iip_ranges_find(&set, 0xfffffff7U), 0);
    CHECK_EQ(iip_ranges_find(&set, 0xfffffff8U), 1);
    CHECK_EQ(iip_ranges_find(&set, 8), 2);
    CHECK_EQ(iip_ranges_cover(&set, 0xfffffff4U, 6), 6);
    iip_ranges_add(&set, 0xfffffff8U, 4, 0);
    is(0, 0xfffffff0U, 8);
}

static void cuts_below(void)
{
    empty(64);
    iip_ranges_add(&set, 10, 20, 0);
    iip_ranges_add(&set, 30, 40, 0);
    iip_ranges_cut(&set, 5);
    CHECK_EQ(set.n, 2);
    iip_ranges_cut(&set, 15);
    is(0, 15, 20);
    iip_ranges_cut(&set, 20);
    CHECK_EQ(set.n, 1);
    iip_ranges_cut(&set, 33);
    is(0, 33, 40);
    iip_ranges_cut(&set, 40);
    CHECK_EQ(set.n, 0);
}

static void says_when_it_is_full(void)
{
    empty(2);
    iip_ranges_add(&set, 10, 20, 0);
    CHECK(iip_ranges_fits(&set, 30, 40));
    iip_ranges_add(&set, 30, 40, 0);
    CHECK(!iip_ranges_fits(&set, 50, 60));
    CHECK(!iip_ranges_fits(&set, 22, 28));
    CHECK(!iip_ranges_fits(&set, 0, 9));
    CHECK(iip_ranges_fits(&set, 20, 28));
    CHECK(iip_ranges_fits(&set, 22, 30));
    CHECK(iip_ranges_fits(&set, 0, 10));
}

static void packets_stay_in_order(void)
{
    struct iip_pkt p[4];
    memset(p, 0, sizeof(p));
    empty(64);
    iip_ranges_add(&set, 30, 40, &p[3]);
    iip_ranges_add(&set, 10, 20, &p[1]);
    iip_ranges_add(&set, 0, 10, &p[0]);
    iip_ranges_add(&set, 20, 30, &p[2]);
    CHECK_EQ(set.n, 1);
    CHECK(set.r[0].head == &p[0] && p[0].link == &p[1] && p[1].link == &p[2] && p[2].link == &p[3] && !p[3].link);
    CHECK(set.r[0].tail == &p[3]);
}

/* Against a plain bitmap: ranges in any order, anywhere around the wrap. */
static void as_a_bitmap(void)
{
    static iip_u8 map[256];
    iip_u64 seed = 5;
    iip_u32 round, i, k, base;
    for (round = 0; round < 300; round++) {
        base = 0xffffff80U;
        memset(map, 0, sizeof(map));
        empty(64);
        for (k = 0; k < 12; k++) {
            iip_u32 left = (iip_u32)iip_rand(&seed) % 240;
            iip_u32 right = left + 1 + (iip_u32)iip_rand(&seed) % 15;
            iip_ranges_add(&set, base + left, base + right, 0);
            memset(map + left, 1, right - left);
        }
        for (i = 0; i < 256; i++) {
            iip_u32 at = iip_ranges_find(&set, base + i);
            int in = at < set.n && iip_seq_leq(set.r[at].left, base + i);
            if (!CHECK_EQ(in, map[i]))
                return;
        }
        for (i = 0, k = 0; i < 256; i++)
            k += map[i];
        CHECK_EQ(iip_ranges_cover(&set, base, base + 256), k);
    }
}

int main(void)
{
    RUN(joins_what_touches);
    RUN(finds_across_the_wrap);
    RUN(cuts_below);
    RUN(says_when_it_is_full);
    RUN(packets_stay_in_order);
    RUN(as_a_bitmap);
    return check_done();
}
