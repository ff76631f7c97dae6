/* handle_test.c - slots and generations: stale, foreign, wrapped, first-in first-out. */
#include "check.h"
#include "handle.h"

struct item {
    struct iip_slot slot;
    uint64_t payload;
};

static struct iip_slots table(uint32_t kind, uint32_t loop)
{
    struct iip_slots t;
    CHECK_EQ(iip_slots_init(&t, kind, loop, sizeof(struct item)), IIP_OK);
    return t;
}

static uint64_t take(struct iip_slots *t)
{
    struct iip_slot *slot = iip_slots_take(t);
    return slot ? iip_slot_handle(t, slot) : 0;
}

/* Tables of loops are kept for ever; these are not. */
static void forget(struct iip_slots *t)
{
    uint32_t i;
    for (i = 0; i < IIP_SLOT_MAX / IIP_SLOT_CHUNK; i++)
        free(t->chunk[i]);
    free(t->chunk);
}

/* As the owner does it: the last reference goes, then the slot. */
static int32_t drop(struct iip_slots *t, uint64_t handle)
{
    struct iip_slot *slot;
    int32_t last = iip_slot_drop(t, handle, &slot);
    if (last == 1)
        iip_slots_put(t, slot);
    return last;
}

static void a_handle_names_its_kind_loop_and_slot(void)
{
    struct iip_slots t = table(IIP_KIND_UDP, 93);
    uint64_t a = take(&t), b = take(&t);
    CHECK_EQ(iip_handle_kind(a), IIP_KIND_UDP);
    CHECK_EQ(iip_handle_loop(a), 93);
    CHECK(a != b && a && b);
    CHECK(a < (uint64_t)1 << 53);
    CHECK(iip_slot_find(&t, a) == iip_slot_at(&t, 0));
    CHECK(iip_slot_find(&t, b) == iip_slot_at(&t, 1));
    forget(&t);
}

static void the_largest_handle_survives_a_double(void)
{
    uint64_t most = (uint64_t)7 << IIP_HANDLE_KIND_SHIFT | (uint64_t)127 << IIP_HANDLE_LOOP_SHIFT |
        (uint64_t)IIP_GENERATION_MASK << IIP_HANDLE_SLOT_BITS | IIP_SLOT_MASK;
    CHECK_EQ(most, ((uint64_t)1 << 53) - 1);
    CHECK((uint64_t)(double)most == most);
    CHECK_EQ(iip_handle_kind((uint64_t)1 << 53), 0);
}

static void what_was_dropped_is_stale(void)
{
    struct iip_slots t = table(IIP_KIND_BUF, 0);
    uint64_t a = take(&t);
    CHECK_EQ(drop(&t, a), 1);
    CHECK_EQ(drop(&t, a), IIP_E_STALE);
    CHECK_EQ(iip_slot_keep(&t, a), IIP_E_STALE);
    CHECK(!iip_slot_find(&t, a));
    CHECK_EQ(t.live, 0);
    forget(&t);
}

static void a_kept_one_is_dropped_as_often(void)
{
    struct iip_slots t = table(IIP_KIND_BUF, 0);
    uint64_t a = take(&t);
    CHECK_EQ(iip_slot_keep(&t, a), IIP_OK);
    CHECK_EQ(iip_slot_keep(&t, a), IIP_OK);
    CHECK_EQ(drop(&t, a), 0);
    CHECK_EQ(drop(&t, a), 0);
    CHECK_EQ(drop(&t, a), 1);
    CHECK_EQ(drop(&t, a), IIP_E_STALE);
    forget(&t);
}

/* The only reference ends together with its generation; of several, none. */
static void the_only_reference_ends_in_one_step(void)
{
    struct iip_slots t = table(IIP_KIND_BUF, 0);
    uint64_t a = take(&t);
    struct iip_slot *slot = iip_slot_find(&t, a);
    CHECK_EQ(iip_slot_keep(&t, a), IIP_OK);
    CHECK(!iip_slot_end(slot, a));
    CHECK_EQ(drop(&t, a), 0);
    CHECK(!iip_slot_end(slot, a + ((uint64_t)1 << IIP_HANDLE_SLOT_BITS))); /* of another generation */
    CHECK(!iip_slot_end(slot, a + 1));                                     /* of another slot */
    CHECK(iip_slot_end(slot, a));
    iip_slots_back(&t, slot);
    CHECK_EQ(t.live, 0);
    CHECK(!iip_slot_end(slot, a));
    CHECK_EQ(drop(&t, a), IIP_E_STALE);
    CHECK(iip_slot_generation(slot) != (uint32_t)(a >> IIP_HANDLE_SLOT_BITS & IIP_GENERATION_MASK));
    forget(&t);
}

static void too_many_references_are_refused(void)
{
    struct iip_slots t = table(IIP_KIND_BUF, 0);
    uint64_t a = take(&t);
    uint32_t n = 1;
    while (iip_slot_keep(&t, a) == IIP_OK)
        n++;
    CHECK_EQ(n, (1 << 21) - 1);
    CHECK_EQ(iip_slot_keep(&t, a), IIP_E_RANGE);
    while (--n)
        drop(&t, a);
    CHECK_EQ(drop(&t, a), 1);
    forget(&t);
}

static void other_tables_and_wild_numbers_are_stale(void)
{
    struct iip_slots t = table(IIP_KIND_BUF, 3), other_loop = table(IIP_KIND_BUF, 4),
                     other_kind = table(IIP_KIND_CONN, 3);
    uint64_t a = take(&t), b = take(&other_loop), c = take(&other_kind), x = 88172645463325252ull;
    int i, found = 0;
    CHECK_EQ(drop(&t, b), IIP_E_STALE);
    CHECK_EQ(drop(&t, c), IIP_E_STALE);
    CHECK_EQ(drop(&t, 0), IIP_E_STALE);
    CHECK_EQ(drop(&t, UINT64_MAX), IIP_E_STALE);
    CHECK_EQ(drop(&t, a | (uint64_t)1 << 53), IIP_E_STALE);
    CHECK_EQ(drop(&t, a + IIP_SLOT_STEP), IIP_E_STALE); /* a slot that does not exist yet */
    for (i = 0; i < 1000000; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        found += x != a && iip_slot_find(&t, x) != NULL;
    }
    CHECK_EQ(found, 0);
    CHECK_EQ(drop(&t, a), 1);
    forget(&t);
    forget(&other_loop);
    forget(&other_kind);
}

/* At the end of a chunk of slots the next one is not there at all. */
static void the_slot_behind_the_last_is_stale(void)
{
    struct iip_slots t = table(IIP_KIND_CONN, 0);
    uint64_t last = 0;
    uint32_t i;
    for (i = 0; i < IIP_SLOT_CHUNK; i++)
        last = take(&t);
    CHECK_EQ(t.count, IIP_SLOT_CHUNK);
    CHECK(!iip_slot_find(&t, last + 1));
    CHECK(iip_slot_find(&t, last) != NULL);
    forget(&t);
}

static void slots_come_back_first_in_first_out(void)
{
    struct iip_slots t = table(IIP_KIND_CONN, 0);
    uint64_t h[IIP_SLOT_STEP];
    uint32_t i;
    for (i = 0; i < IIP_SLOT_STEP; i++)
        h[i] = take(&t);
    drop(&t, h[7]);
    drop(&t, h[3]);
    CHECK_EQ(take(&t) & IIP_SLOT_MASK, 7);
    CHECK_EQ(take(&t) & IIP_SLOT_MASK, 3);
    CHECK_EQ(t.count, IIP_SLOT_STEP);
    CHECK_EQ(take(&t) & IIP_SLOT_MASK, IIP_SLOT_STEP); /* none is free: new ones come into use */
    forget(&t);
}

/* The promise of the ABI: 2^20 reuses of a slot, and the old handle is still told from the new ones. */
static void a_stale_handle_is_told_for_2_to_20_reuses_and_more(void)
{
    struct iip_slots t = table(IIP_KIND_TIMER, 1);
    uint64_t old, h = 0;
    uint32_t i, reuse, mistaken = 0;
    for (i = 0; i < IIP_SLOT_STEP; i++)
        take(&t);
    drop(&t, iip_slot_handle(&t, iip_slot_at(&t, 0)));
    old = take(&t); /* the only free slot is now used over and over */
    drop(&t, old);
    for (reuse = 1; reuse <= (1u << 20); reuse++) {
        h = take(&t);
        mistaken += h == old || iip_slot_find(&t, old) != NULL;
        drop(&t, h);
    }
    CHECK_EQ(mistaken, 0);
    CHECK_EQ(h & IIP_SLOT_MASK, old & IIP_SLOT_MASK);
    for (; reuse < 1u << IIP_HANDLE_GENERATION_BITS; reuse++)
        drop(&t, take(&t));
    CHECK_EQ(take(&t), old); /* and then the generation has wrapped: known, documented */
    forget(&t);
}

static void the_limit_is_4_million(void)
{
    struct iip_slots t = table(IIP_KIND_CONN, 0);
    uint64_t last = 0;
    uint32_t n = 0;
    uint64_t h;
    while ((h = take(&t)) != 0) {
        last = h;
        n++;
    }
    CHECK_EQ(n, 4194304);
    CHECK_EQ(last & IIP_SLOT_MASK, 4194303);
    CHECK_EQ(drop(&t, last), 1);
    CHECK(take(&t) != 0);
    forget(&t);
}

int main(void)
{
    RUN(a_handle_names_its_kind_loop_and_slot);
    RUN(the_largest_handle_survives_a_double);
    RUN(what_was_dropped_is_stale);
    RUN(a_kept_one_is_dropped_as_often);
    RUN(the_only_reference_ends_in_one_step);
    RUN(too_many_references_are_refused);
    RUN(other_tables_and_wild_numbers_are_stale);
    RUN(the_slot_behind_the_last_is_stale);
    RUN(slots_come_back_first_in_first_out);
    RUN(a_stale_handle_is_told_for_2_to_20_reuses_and_more);
    RUN(the_limit_is_4_million);
    return check_done();
}
