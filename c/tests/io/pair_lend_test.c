/* pair_lend_test.c - long packets of the pair port are lent, not copied: what is lent, what is not, and who outlives whom. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "check.h"
#include "iip/status.h"
#include "stub.h"

static struct end a, b;
static uint8_t buf[1 << 17];

static int open_two(const char *args, const struct iip_port_cfg *cfg)
{
    return end_open(&a, args, cfg) < 0 || end_open(&b, args, cfg) < 0;
}

static void close_two(void)
{
    CHECK_EQ(end_close(&a), 0);
    CHECK_EQ(end_close(&b), 0);
}

/* Is the packet's memory in the region that its frame names, as `regions` of the end tells? */
static int lies_in_its_region(struct end *e, const struct iip_pkt *pkt)
{
    struct iip_port_region all[8];
    uint32_t n = e->ops->regions(e->port, all, 8);
    for (uint32_t i = 0; i < n; i++)
        if (all[i].id == pkt->frame->region)
            return pkt->data >= (uint8_t *)all[i].base && pkt->data + pkt->len <= (uint8_t *)all[i].base + all[i].len;
    return 0;
}

/* One packet from `from` comes up at `to`; null when it does not. *lent: it was not copied. */
static struct iip_pkt *pass(struct end *from, struct end *to, uint32_t len, int *lent)
{
    struct iip_pkt *pkt = end_pkt(from, buf, len);
    const uint8_t *data = pkt ? pkt->data : NULL;
    if (!pkt || !from->ops->tx(from->q, &pkt, 1) || !to->ops->rx(to->q, &pkt, 1))
        return NULL;
    *lent = pkt->data == data;
    CHECK_EQ(pkt->len, len);
    CHECK_MEM(pkt->data, buf, len);
    CHECK(lies_in_its_region(to, pkt));
    CHECK_EQ(pkt->frame->flags, *lent ? IIP_FRAME_READ_ONLY : 0);
    return pkt;
}

static void lends_long_packets(void)
{
    struct end *ends[] = {&a, &b};
    uint32_t before;
    int lent = 0;
    REQUIRE(!open_two("pair:x", NULL));
    for (uint32_t i = 0; i < 2; i++) {
        struct end *from = ends[i], *to = ends[!i];
        struct iip_pkt *pkt = pass(from, to, 60, &lent);
        REQUIRE(pkt != NULL);
        CHECK_EQ(lent, 0);
        iip_pkt_free(&to->stk, pkt);
        before = from->ops->frames_free(from->q);
        for (uint32_t k = 0; k < 1000; k++) { /* more than the ring has descriptors */
            memset(buf, (int)k, 1000);
            pkt = pass(from, to, 1000, &lent);
            REQUIRE(pkt != NULL);
            CHECK_EQ(lent, 1);
            CHECK(from->ops->frames_free(from->q) < before); /* the sender's frame is in use as long as it is read */
            iip_pkt_free(&to->stk, pkt);
            CHECK_EQ(end_recv(from, buf, sizeof(buf), NULL), -1);
            CHECK_EQ(from->ops->frames_free(from->q), before);
        }
    }
    close_two();
}

/* The receiver keeps all it gets: half of the sender's pool is out at most, then it copies, and lends again later. */
static void copies_when_frames_are_few(void)
{
    struct iip_port_cfg cfg = {.frames = 256, .ring = 64};
    struct iip_pkt *held[256];
    uint32_t n = 0, lends = 0;
    int lent = 0;
    REQUIRE(!open_two("pair:x", &cfg));
    while (n < 256 && (held[n] = pass(&a, &b, 1000, &lent)) != NULL) {
        lends += (uint32_t)lent;
        n++;
    }
    CHECK(n > 128 && lends > 32 && lends <= 128);
    CHECK(a.ops->frames_free(a.q) >= 120);
    for (uint32_t i = 0; i < n; i++)
        iip_pkt_free(&b.stk, held[i]);
    CHECK_EQ(end_recv(&a, buf, sizeof(buf), NULL), -1);
    b.ops->rx(b.q, held, 1);
    held[0] = pass(&a, &b, 1000, &lent);
    REQUIRE(held[0] != NULL);
    CHECK_EQ(lent, 1);
    iip_pkt_free(&b.stk, held[0]);
    CHECK_EQ(end_recv(&a, buf, sizeof(buf), NULL), -1);
    close_two();
}

/* What was received and is sent on lies in no pool of the end that sends it: it is copied. */
static void copies_what_is_passed_on(void)
{
    struct iip_pkt *pkt, *back;
    int lent = 0;
    REQUIRE(!open_two("pair:x", NULL));
    pkt = pass(&a, &b, 1000, &lent);
    REQUIRE(pkt != NULL && lent);
    back = pkt;
    CHECK_EQ(b.ops->tx(b.q, &back, 1), 1);
    REQUIRE(a.ops->rx(a.q, &back, 1) == 1);
    CHECK(lies_in_its_region(&a, back));
    CHECK_EQ(back->frame->flags, 0);
    CHECK_MEM(back->data, buf, 1000);
    iip_pkt_free(&a.stk, back);
    CHECK_EQ(end_recv(&a, buf, sizeof(buf), NULL), -1);
    close_two();
}

/* The first end lends to one that has another pool, and the second copies: its memory is in no list of the first's. */
static void copies_from_a_pool_that_is_not_known(void)
{
    struct iip_port_cfg other = {.frames = 1024};
    struct iip_pkt *pkt;
    int lent = 0;
    REQUIRE(end_open(&a, "pair:x", NULL) == IIP_OK);
    REQUIRE(end_open(&b, "pair:x", &other) == IIP_OK);
    pkt = pass(&b, &a, 1000, &lent);
    REQUIRE(pkt != NULL);
    CHECK_EQ(lent, 0);
    iip_pkt_free(&a.stk, pkt);
    pkt = pass(&a, &b, 1000, &lent);
    REQUIRE(pkt != NULL);
    CHECK_EQ(lent, 1);
    iip_pkt_free(&b.stk, pkt);
    CHECK_EQ(end_recv(&a, buf, sizeof(buf), NULL), -1);
    close_two();
}

static void bytes_outlive_who_lent_them(void)
{
    struct iip_pkt *mine[2], *pkt;
    REQUIRE(!open_two("pair:x", NULL));
    memset(buf, 7, 1000);
    for (uint32_t i = 0; i < 2; i++) {
        mine[i] = end_pkt(&a, buf, 1000);
        pkt = mine[i];
        CHECK_EQ(a.ops->tx(a.q, &pkt, 1), 1);
    }
    REQUIRE(b.ops->rx(b.q, &pkt, 1) == 1);
    CHECK(pkt->data == mine[0]->data);
    CHECK_EQ(end_close(&a), 2); /* both are out */
    free(mine[0]); /* as a stack's memory for views goes with it */
    free(mine[1]);
    CHECK_MEM(pkt->data, buf, 1000);
    iip_pkt_free(&b.stk, pkt);
    memset(buf + 1000, 0, 1000);
    CHECK_EQ(end_recv(&b, buf + 1000, 1000, NULL), 1000);
    CHECK_MEM(buf + 1000, buf, 1000);
    CHECK_EQ(end_close(&b), 0);
}

static void takes_back_what_a_closed_end_did_not_read(void)
{
    struct iip_pkt *pkt;
    int lent = 0;
    REQUIRE(!open_two("pair:x", NULL));
    pkt = pass(&a, &b, 1000, &lent);
    REQUIRE(pkt != NULL && lent);
    CHECK_EQ(end_send(&a, buf, 1000), 1);
    CHECK_EQ(end_send(&a, buf, 60), 1);
    iip_pkt_free(&b.stk, pkt);
    CHECK_EQ(end_close(&b), 0);
    CHECK_EQ(end_recv(&a, buf, sizeof(buf), NULL), -1);
    CHECK_EQ(end_send(&a, buf, 1000), 1); /* is copied */
    CHECK_EQ(end_close(&a), 0);
}

int main(void)
{
    RUN(lends_long_packets);
    RUN(copies_when_frames_are_few);
    RUN(copies_what_is_passed_on);
    RUN(copies_from_a_pool_that_is_not_known);
    RUN(bytes_outlive_who_lent_them);
    RUN(takes_back_what_a_closed_end_did_not_read);
    return check_done();
}
