#include "base/table.h"

#include "base/hash.h"
#include "check.h"

enum { ENTRIES = 100000 };

struct entry {
    struct iip_node node;
    iip_u32 seen;
};

static struct entry entries[ENTRIES];
static iip_size live;
static iip_u32 blocks, fail_after;

static void *counted_alloc(void *ctx, iip_size bytes)
{
    (void)ctx;
    if (fail_after && blocks >= fail_after)
        return NULL;
    blocks++;
    live += bytes;
    return malloc(bytes);
}

static void counted_release(void *ctx, void *p, iip_size bytes)
{
    (void)ctx;
    live -= bytes;
    free(p);
}

static int start(struct iip_table *tab, iip_u32 fail)
{
    struct iip_table_mem mem = {0, counted_alloc, counted_release};
    live = 0;
    blocks = 0;
    fail_after = fail;
    return iip_table_init(tab, &mem);
}

static int there(const struct iip_table *tab, const struct entry *e)
{
    const struct iip_node *node;
    for (node = *iip_table_bucket(tab, e->node.hash); node; node = node->next) {
        if (node == &e->node)
            return 1;
    }
    return 0;
}

static void put_all(struct iip_table *tab)
{
    iip_u64 seed = 1;
    iip_u32 i;
    for (i = 0; i < ENTRIES; i++) {
        entries[i].node.hash = (iip_u32)iip_rand(&seed);
        entries[i].seen = 0;
        iip_table_add(tab, &entries[i].node);
    }
}

static void holds_and_forgets(void)
{
    struct iip_table tab;
    iip_u32 i;
    REQUIRE(start(&tab, 0) == 0);
    put_all(&tab);
    CHECK_EQ(tab.count, ENTRIES);
    for (i = 0; i < ENTRIES; i++) {
        if (!CHECK(there(&tab, &entries[i])))
            break;
    }
    for (i = 0; i < ENTRIES; i += 2)
        iip_table_del(&tab, &entries[i].node);
    CHECK_EQ(tab.count, ENTRIES / 2);
    for (i = 0; i < ENTRIES; i++) {
        if (!CHECK_EQ(there(&tab, &entries[i]), i & 1))
            break;
    }
    iip_table_del(&tab, &entries[0].node); /* a second time is harmless */
    CHECK_EQ(tab.count, ENTRIES / 2);
    iip_table_free(&tab);
    CHECK_EQ(live, 0);
}

/* A node that takes another one's place is found instead of it, in the same chain; the old one can be deleted no more. */
static void one_takes_the_place_of_another(void)
{
    static struct entry fresh;
    struct iip_table tab;
    iip_u32 i;
    REQUIRE(start(&tab, 0) == 0);
    put_all(&tab);
    fresh.node.hash = entries[7].node.hash;
    iip_table_replace(&tab, &entries[7].node, &fresh.node);
    CHECK_EQ(tab.count, ENTRIES);
    CHECK(there(&tab, &fresh));
    for (i = 0; i < ENTRIES; i++) {
        if (!CHECK_EQ(there(&tab, &entries[i]), i != 7))
            break;
    }
    iip_table_del(&tab, &entries[7].node);
    CHECK_EQ(tab.count, ENTRIES);
    iip_table_del(&tab, &fresh.node);
    CHECK_EQ(tab.count, ENTRIES - 1);
    CHECK(!there(&tab, &fresh));
    iip_table_free(&tab);
    CHECK_EQ(live, 0);
}

static void visits_each_once(void)
{
    struct iip_table tab;
    struct iip_node *node = NULL;
    iip_u32 n = 0;
    REQUIRE(start(&tab, 0) == 0);
    CHECK(iip_table_next(&tab, NULL) == NULL);
    put_all(&tab);
    while ((node = iip_table_next(&tab, node)) != NULL) {
        n++;
        ((struct entry *)node)->seen++;
    }
    CHECK_EQ(n, ENTRIES);
    for (n = 0; n < ENTRIES; n++) {
        if (!CHECK_EQ(entries[n].seen, 1))
            break;
    }
    iip_table_free(&tab);
    CHECK_EQ(live, 0);
}

/* It grows with its entries: no chain gets long, though no call moved more than one. */
static void chains_stay_short(void)
{
    struct iip_table tab;
    struct iip_node *node;
    iip_u32 i, len, longest = 0;
    REQUIRE(start(&tab, 0) == 0);
    put_all(&tab);
    for (i = 0; i < tab.mask + 1 + tab.split; i++) {
        len = 0;
        for (node = tab.seg[i >> IIP_TABLE_SEG_BITS][i & (IIP_TABLE_SEG - 1)]; node; node = node->next)
            len++;
        longest = len > longest ? len : longest;
    }
    CHECK(longest <= 16);
    iip_table_free(&tab);
}

static void lives_without_memory(void)
{
    struct iip_table tab;
    iip_u32 i;
    CHECK(start(&tab, 1) != 0); /* a directory, but no first segment */
    CHECK_EQ(live, 0);
    REQUIRE(start(&tab, 3) == 0); /* one more segment, then none */
    put_all(&tab);
    for (i = 0; i < ENTRIES; i += 97) {
        if (!CHECK(there(&tab, &entries[i])))
            break;
    }
    iip_table_free(&tab);
    CHECK_EQ(live, 0);
}

int main(void)
{
    RUN(holds_and_forgets);
    RUN(one_takes_the_place_of_another);
    RUN(visits_each_once);
    RUN(chains_stay_short);
    RUN(lives_without_memory);
    return check_done();
}
