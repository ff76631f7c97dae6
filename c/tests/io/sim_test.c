/* sim_test.c - the bad wire: the same badness each time, exact times, and accounts that close. */
#include "../../io/sim/sim.h"

#include <poll.h>
#include <pthread.h>

#include "check.h"
#include "iip/status.h"
#include "stub.h"

static struct end a, b;
static uint8_t buf[1 << 17];

static int open_two(const char *first, const char *second)
{
    if (end_open(&a, first, NULL) < 0 || end_open(&b, second, NULL) < 0) {
        printf("  %s%s\n", a.err, b.err);
        return -1;
    }
    return 0;
}

static int ready(struct end *e, int wait_ms)
{
    struct pollfd p = {.fd = e->ops->fd(e->q), .events = POLLIN | POLLOUT};
    return poll(&p, 1, wait_ms);
}

static int is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void closes_account(uint32_t side)
{
    struct iip_sim_account acc;
    CHECK_EQ(iip_sim_account("t", side, &acc), IIP_OK);
    CHECK_EQ(acc.sent + acc.duplicated, acc.delivered + acc.lost + acc.in_flight);
    CHECK_EQ(acc.sent_bytes + acc.duplicated_bytes, acc.delivered_bytes + acc.lost_bytes + acc.in_flight_bytes);
    CHECK_EQ(acc.lost, acc.lost_chance + acc.lost_queue + acc.lost_mtu + acc.lost_frame_check);
}

static void close_two(void)
{
    closes_account(0);
    closes_account(1);
    CHECK_EQ(end_close(&a), 0);
    CHECK_EQ(end_close(&b), 0);
}

static void keeps_virtual_time(void)
{
    REQUIRE(!open_two("sim:t,clock=virtual,delay=10ms", "sim:t"));
    CHECK_EQ(b.info.link_up, 1);
    CHECK_EQ(a.ops->changed(a.port), 1);
    CHECK_EQ(a.ops->now(a.q), IIP_SIM_START_US);
    CHECK_EQ(iip_sim_next("t"), IIP_NEVER);
    CHECK_EQ(end_send(&a, buf, 60), 1);
    CHECK_EQ(iip_sim_next("t"), IIP_SIM_START_US + 10000);
    CHECK_EQ(iip_sim_advance("t", 9999), IIP_SIM_START_US + 9999);
    CHECK_EQ(end_recv(&b, buf, sizeof(buf), NULL), -1);
    iip_sim_advance("t", 1);
    CHECK_EQ(b.ops->now(b.q), IIP_SIM_START_US + 10000);
    CHECK_EQ(end_recv(&a, buf, sizeof(buf), NULL), -1);
    CHECK_EQ(end_recv(&b, buf, sizeof(buf), NULL), 60);
    CHECK_EQ(iip_sim_advance("nothing", 1), 0);
    close_two();
}

static void wakes_who_waits(const char *name, int is_virtual)
{
    struct pollfd p;
    REQUIRE(!open_two(name, "sim:t"));
    p = (struct pollfd){.fd = b.ops->fd(b.q), .events = POLLIN}; /* asked before anything was sent */
    end_send(&a, buf, 60);
    end_send(&a, buf, 61);
    if (is_virtual) {
        CHECK_EQ(poll(&p, 1, 0), 0);
        iip_sim_advance("t", 5000);
    }
    CHECK_EQ(poll(&p, 1, 60000), 1);
    CHECK_EQ(end_recv(&b, buf, sizeof(buf), NULL), 60);
    CHECK_EQ(ready(&b, 60000), 1);
    CHECK_EQ(end_recv(&b, buf, sizeof(buf), NULL), 61);
    CHECK_EQ(ready(&b, 0), 0);
    close_two();
}

static void wakes_nobody_who_did_not_ask(void)
{
    REQUIRE(!open_two("sim:t,clock=virtual", "sim:t"));
    int fd = b.ops->fd(b.q);
    CHECK_EQ(end_recv(&b, buf, sizeof(buf), NULL), -1);
    end_send(&a, buf, 60);
    CHECK(!is_readable(fd)); /* no system call was made */
    CHECK_EQ(ready(&b, 0), 1);
    close_two();
}

/* Each direction has its own randomness. */
static void loses_not_the_same_both_ways(void)
{
    uint32_t same = 0;
    REQUIRE(!open_two("sim:t,clock=virtual,loss=50%", "sim:t"));
    for (int i = 0; i < 200; i++) {
        end_send(&a, buf, 60);
        end_send(&b, buf, 60);
        same += (end_recv(&a, buf, sizeof(buf), NULL) < 0) == (end_recv(&b, buf, sizeof(buf), NULL) < 0);
    }
    CHECK(same > 60 && same < 140);
    close_two();
}

static void wakes_on_virtual_time(void)
{
    wakes_who_waits("sim:t,clock=virtual,delay=5ms", 1);
}

static void wakes_on_real_time(void)
{
    wakes_who_waits("sim:t,delay=5ms", 0);
}

/* ---- the same seed, the same wire ---- */

#define BAD "loss=5%,dup=5%,reorder=5%,corrupt=5%,delay=3ms,jitter=2ms,rate=50mbit"

/* Sends numbered packets for a while; a digest of what arrives when, and in what state. */
static uint64_t digest(const char *name, uint32_t *arrived)
{
    uint64_t h = 14695981039346656037ULL;
    uint16_t flags;
    int len;
    *arrived = 0;
    if (open_two(name, "sim:t"))
        return 0;
    for (uint32_t i = 0; i < 3000; i++) {
        uint32_t n = udp_frame(buf, (uint16_t)i, 9, i % 1400, (uint8_t)i);
        CHECK_EQ(end_send(i % 3 ? &a : &b, buf, n), 1);
        iip_sim_advance("t", 100);
        for (int k = 0; k < 2; k++)
            while ((len = end_recv(k ? &a : &b, buf, sizeof(buf), &flags)) >= 0) {
                for (int j = 0; j < len; j++)
                    h = (h ^ buf[j]) * 1099511628211ULL;
                h = (h ^ flags ^ i) * 1099511628211ULL;
                ++*arrived;
            }
        closes_account(0);
        closes_account(1);
    }
    close_two();
    return h;
}

static void repeats_itself(void)
{
    uint32_t n1, n2, n3;
    uint64_t h1 = digest("sim:t,clock=virtual,seed=7," BAD, &n1);
    uint64_t h2 = digest("sim:t,clock=virtual,seed=7," BAD, &n2);
    uint64_t h3 = digest("sim:t,clock=virtual,seed=8," BAD, &n3);
    CHECK_EQ(n1, n2);
    CHECK(n1 > 2700 && n1 < 3100);
    CHECK_EQ(h1, h2);
    CHECK(h1 != h3);
}

/* ---- each kind of badness alone ---- */

/* Sends n numbered packets at once, receives them all: how many came, out of order, and damaged. */
static struct iip_sim_account run(const char *name, uint32_t n, uint32_t *came, uint32_t *late, uint32_t *damaged,
                                  uint32_t *marked)
{
    struct iip_sim_account acc;
    uint32_t highest = 0;
    uint16_t flags;
    int len;
    *came = *late = *damaged = *marked = 0;
    memset(&acc, 0, sizeof(acc));
    if (open_two(name, "sim:t"))
        return acc;
    for (uint32_t i = 1; i <= n; i++) {
        CHECK_EQ(end_send(&a, buf, udp_frame(buf, (uint16_t)(i >> 16), (uint16_t)i, 100, (uint8_t)i)), 1);
        if (i % 100 == 0)
            iip_sim_advance("t", 100);
        while ((len = end_recv(&b, buf, sizeof(buf), &flags)) >= 0 || (i == n && iip_sim_next("t") != IIP_NEVER)) {
            uint32_t number = (uint32_t)buf[34] << 24 | (uint32_t)buf[35] << 16 | (uint32_t)buf[36] << 8 | buf[37];
            if (len < 0) {
                iip_sim_advance("t", iip_sim_next("t") - b.ops->now(b.q));
                continue;
            }
            ++*came;
            *damaged += !csum_right(buf, (uint32_t)len);
            *marked += flags != 0;
            if (csum_right(buf, (uint32_t)len)) {
                *late += number < highest;
                highest = number > highest ? number : highest;
            }
        }
    }
    CHECK_EQ(iip_sim_account("t", 0, &acc), IIP_OK);
    CHECK_EQ(acc.in_flight, 0);
    CHECK_EQ(acc.delivered, *came);
    close_two();
    return acc;
}

static void is_perfect_by_default(void)
{
    uint32_t came, late, damaged, marked;
    run("sim:t,clock=virtual,jitter=5ms", 10000, &came, &late, &damaged, &marked);
    CHECK_EQ(came, 10000);
    CHECK_EQ(late, 0); /* jitter does not reorder */
    CHECK_EQ(damaged, 0);
    CHECK_EQ(marked, 0);
}

static void loses(void)
{
    uint32_t came, late, damaged, marked;
    struct iip_sim_account acc = run("sim:t,clock=virtual,loss=1%", 100000, &came, &late, &damaged, &marked);
    CHECK(acc.lost > 900 && acc.lost < 1100);
    CHECK_EQ(came, 100000 - acc.lost);
    run("sim:t,clock=virtual,loss=100%", 100, &came, &late, &damaged, &marked);
    CHECK_EQ(came, 0);
}

static void duplicates(void)
{
    uint32_t came, late, damaged, marked;
    struct iip_sim_account acc = run("sim:t,clock=virtual,dup=0.02", 100000, &came, &late, &damaged, &marked);
    CHECK(acc.duplicated > 1850 && acc.duplicated < 2150);
    CHECK_EQ(came, 100000 + acc.duplicated);
}

static void reorders(void)
{
    uint32_t came, late, damaged, marked;
    struct iip_sim_account acc = run("sim:t,clock=virtual,reorder=2%,gap=5ms", 50000, &came, &late, &damaged, &marked);
    CHECK(acc.reordered > 850 && acc.reordered < 1150);
    CHECK(late > acc.reordered / 2 && late <= acc.reordered);
    CHECK_EQ(came, 50000);
}

/* Each damaged packet is one that the checksums show, unless it was lost to the frame check; and none is marked right. */
static void corrupts(const char *name, uint32_t marks)
{
    uint32_t came, late, damaged, marked;
    struct iip_sim_account acc = run(name, 50000, &came, &late, &damaged, &marked);
    CHECK(acc.corrupted > 1000);
    CHECK(acc.lost_frame_check > 100 && acc.lost_frame_check < acc.corrupted);
    CHECK_EQ(damaged, acc.corrupted);
    CHECK_EQ(came, 50000 - acc.lost_frame_check);
    CHECK_EQ(marked, marks ? came - acc.corrupted : 0);
}

static void corrupts_what_is_checked(void)
{
    corrupts("sim:t,clock=virtual,corrupt=3%", 0);
    corrupts("sim:t,clock=virtual,corrupt=3%,csum=on", 1);
}

/* With offload the checksum field is not complete: a damaged packet must have been completed before it was damaged. */
static void completes_before_it_corrupts(void)
{
    uint32_t wrong = 0, len = udp_frame(buf, 1, 2, 100, 9);
    uint8_t frame[200], got[200];
    uint16_t flags;
    memcpy(frame, buf, len);
    REQUIRE(!open_two("sim:t,clock=virtual,corrupt=100%,csum=on", "sim:t"));
    memset(frame + 40, 0xee, 2);
    memset(frame + 24, 0, 2);
    for (int i = 0; i < 500; i++) {
        uint32_t bits = 0;
        end_send(&a, frame, len);
        if (end_recv(&b, got, sizeof(got), &flags) < 0)
            continue;
        for (uint32_t k = 0; k < len; k++)
            bits += (uint32_t)__builtin_popcount(got[k] ^ buf[k]);
        wrong += bits != 1;
        CHECK_EQ(flags, 0);
    }
    CHECK_EQ(wrong, 0);
    close_two();
}

static void has_a_bottleneck(void)
{
    struct iip_sim_account acc;
    uint64_t start;
    REQUIRE(!open_two("sim:t,clock=virtual,rate=8mbit,queue=10000,delay=1ms", "sim:t"));
    start = a.ops->now(a.q);
    for (int i = 0; i < 20; i++)
        end_send(&a, buf, 1000); /* 1 ms each */
    iip_sim_account("t", 0, &acc);
    CHECK_EQ(acc.lost_queue, 10);
    for (int i = 1; i <= 10; i++) {
        CHECK_EQ(iip_sim_next("t"), start + (uint64_t)i * 1000 + 1000);
        iip_sim_advance("t", iip_sim_next("t") - a.ops->now(a.q));
        CHECK_EQ(end_recv(&b, buf, sizeof(buf), NULL), 1000);
        CHECK_EQ(end_recv(&b, buf, sizeof(buf), NULL), -1);
    }
    close_two();
}

static void changes_its_mtu(void)
{
    struct iip_sim_account acc;
    REQUIRE(!open_two("sim:t,clock=virtual,mtu=1400", "sim:t"));
    CHECK_EQ(a.info.mtu, 1400);
    CHECK_EQ(a.ops->changed(a.port), 1);
    end_send(&a, buf, 1418);
    end_send(&a, buf, 1419);
    CHECK_EQ(end_recv(&b, buf, sizeof(buf), NULL), 1418);
    CHECK_EQ(end_recv(&b, buf, sizeof(buf), NULL), -1);
    iip_sim_account("t", 0, &acc);
    CHECK_EQ(acc.lost_mtu, 1);
    CHECK_EQ(iip_sim_mtu_set("t", 9000), IIP_OK);
    CHECK_EQ(a.ops->changed(a.port), 1);
    CHECK_EQ(b.ops->changed(b.port), 1);
    CHECK_EQ(b.ops->changed(b.port), 0);
    a.ops->info(a.port, &a.info);
    CHECK_EQ(a.info.mtu, 2048 - IIP_POOL_HEADROOM - 18); /* what is sent fits into one */
    for (uint32_t i = 0; i < 9014; i++)
        buf[i] = (uint8_t)(i >> 4);
    end_send(&a, buf, 9014); /* more than a frame holds */
    memset(buf, 0, sizeof(buf));
    CHECK_EQ(end_recv(&b, buf, sizeof(buf), NULL), 9014);
    for (uint32_t i = 0; i < 9014; i++)
        if (buf[i] != (uint8_t)(i >> 4))
            CHECK_EQ(buf[i], (uint8_t)(i >> 4));
    CHECK_EQ(iip_sim_mtu_set("nothing", 9000), IIP_E_NOT_FOUND);
    close_two();
}

static void differs_by_direction(void)
{
    REQUIRE(!open_two("sim:t,clock=virtual,delay=1ms", "sim:t,delay=50ms,loss=0"));
    end_send(&a, buf, 60);
    end_send(&b, buf, 60);
    CHECK_EQ(iip_sim_next("t"), IIP_SIM_START_US + 1000);
    iip_sim_advance("t", 1000);
    CHECK_EQ(end_recv(&b, buf, sizeof(buf), NULL), 60);
    CHECK_EQ(iip_sim_next("t"), IIP_SIM_START_US + 50000);
    close_two();
}

/* Frames run out: packets wait on the wire. Memory for views runs out: the same. */
static void loses_nothing_for_lack_of_memory(void)
{
    struct iip_pkt *held[200];
    uint32_t n = 0, got;
    REQUIRE(!open_two("sim:t,clock=virtual,frames=64", "sim:t,frames=64"));
    for (int i = 0; i < 100; i++)
        CHECK_EQ(end_send(&a, buf, 60), 1);
    while ((got = b.ops->rx(b.q, held + n, 200 - n)) > 0)
        n += got;
    CHECK_EQ(n, 64);
    for (uint32_t i = 0; i < n; i++)
        iip_pkt_free(&b.stk, held[i]);
    b.stk.fail_after = 1;
    CHECK_EQ(b.ops->rx(b.q, held, 200), 0);
    CHECK_EQ(b.ops->frames_free(b.q), 64);
    while (end_recv(&b, buf, sizeof(buf), NULL) == 60)
        n++;
    CHECK_EQ(n, 100);
    close_two();
}

static void refuses_when_too_much_is_under_way(void)
{
    uint32_t n = 0;
    REQUIRE(!open_two("sim:t,clock=virtual,delay=1s", "sim:t"));
    while (end_send(&a, buf, 20))
        n++;
    CHECK_EQ(n, IIP_SIM_FLIGHT);
    CHECK_EQ(ready(&a, 0), 0);
    iip_sim_advance("t", 1000000);
    while (end_recv(&b, buf, sizeof(buf), NULL) == 20)
        n--;
    CHECK_EQ(n, 0);
    CHECK_EQ(ready(&a, 0), 1);
    CHECK_EQ(end_send(&a, buf, 20), 1);
    CHECK_EQ(end_recv(&a, buf, sizeof(buf), NULL), -1);
    CHECK_EQ(ready(&a, 0), 0);
    close_two();
}

static void wakes_when_the_other_end_opens(void)
{
    REQUIRE(end_open(&a, "sim:t", NULL) == IIP_OK);
    CHECK_EQ(end_send(&a, buf, 60), 0);
    CHECK_EQ(ready(&a, 0), 0);
    REQUIRE(end_open(&b, "sim:t", NULL) == IIP_OK);
    CHECK_EQ(ready(&a, 0), 1);
    CHECK_EQ(end_send(&a, buf, 60), 1);
    close_two();
}

static void expect_error(const char *name, int status, const char *part)
{
    struct end e;
    int got = end_open(&e, name, NULL);
    CHECK_EQ(got, status);
    CHECK(strstr(e.err, part) != NULL);
    if (!strstr(e.err, part))
        printf("  error of %s: %s\n", name, e.err);
    if (got >= 0)
        end_close(&e);
}

static void names_bad_values(void)
{
    expect_error("sim:t,loss=101%", IIP_E_RANGE, "loss=101%: use a chance from 0% to 100%");
    expect_error("sim:t,loss=-1", IIP_E_INVAL, "loss=-1");
    expect_error("sim:t,dup=1.5", IIP_E_RANGE, "dup=1.5");
    expect_error("sim:t,delay=2h", IIP_E_INVAL, "delay=2h: use a time");
    expect_error("sim:t,delay=3601s", IIP_E_RANGE, "at most 3600s");
    expect_error("sim:t,delay=99999999999999999999999s", IIP_E_INVAL, "delay=");
    expect_error("sim:t,rate=0", IIP_E_RANGE, "rate=0");
    expect_error("sim:t,rate=fast", IIP_E_INVAL, "rate=fast");
    expect_error("sim:t,queue=2g", IIP_E_RANGE, "at most 1073741824");
    expect_error("sim:t,mtu=5", IIP_E_RANGE, "mtu=5");
    expect_error("sim:t,frame_size=512", IIP_E_RANGE,
                 "frame_size=512: a packet of mtu=1500 does not fit; use at least 2048");
    expect_error("sim:t,clock=fast", IIP_E_INVAL, "clock=fast: use virtual or real");
    expect_error("sim:t,seed=18446744073709551616", IIP_E_INVAL, "seed=");
    expect_error("sim:t,seed=x", IIP_E_INVAL, "seed=x");
    expect_error("sim:t,speed=1", IIP_E_NOT_FOUND, "'speed'");
    REQUIRE(!open_two("sim:seed=3,clock=virtual", "sim:")); /* the name may be left out */
    expect_error("sim:", IIP_E_BUSY, "both ends");
    end_close(&a);
    end_close(&b);
    REQUIRE(end_open(&a, "sim:t,seed=18446744073709551615", NULL) == IIP_OK);
    expect_error("sim:t,seed=3", IIP_E_INVAL, "another seed");
    expect_error("sim:t,clock=virtual", IIP_E_INVAL, "another clock");
    end_close(&a);
}

static void *talk(void *arg)
{
    struct end *e = arg;
    uint8_t got[100];
    uint32_t sent = 0, came = 0;
    while (sent < 2000 || came < 2000) {
        if (sent < 2000)
            sent += end_send(e, "0123456789", 10);
        while (end_recv(e, got, sizeof(got), NULL) >= 0)
            came++;
        if (sent == 2000 && came < 2000 && ready(e, 10000) != 1)
            return "nobody woke us";
    }
    return NULL;
}

static void two_threads(void)
{
    pthread_t ta, tb;
    void *ra, *rb;
    REQUIRE(!open_two("sim:t,delay=1ms,jitter=1ms", "sim:t"));
    pthread_create(&ta, NULL, talk, &a);
    pthread_create(&tb, NULL, talk, &b);
    pthread_join(ta, &ra);
    pthread_join(tb, &rb);
    CHECK_STR(ra ? ra : "fine", "fine");
    CHECK_STR(rb ? rb : "fine", "fine");
    close_two();
}

int main(void)
{
    RUN(keeps_virtual_time);
    RUN(wakes_on_virtual_time);
    RUN(wakes_on_real_time);
    RUN(wakes_nobody_who_did_not_ask);
    RUN(loses_not_the_same_both_ways);
    RUN(repeats_itself);
    RUN(is_perfect_by_default);
    RUN(loses);
    RUN(duplicates);
    RUN(reorders);
    RUN(corrupts_what_is_checked);
    RUN(completes_before_it_corrupts);
    RUN(has_a_bottleneck);
    RUN(changes_its_mtu);
    RUN(differs_by_direction);
    RUN(loses_nothing_for_lack_of_memory);
    RUN(refuses_when_too_much_is_under_way);
    RUN(wakes_when_the_other_end_opens);
    RUN(names_bad_values);
    RUN(two_threads);
    return check_done();
}
