/* pcap_test.c - capture files: there and back, from tcpdump's world, damaged in every way; and the recorder. */
#include "pcap/file.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "iip/status.h"
#include "stub.h"

static char dir[] = "/tmp/iip-pcap-XXXXXX";
static char path[64], path2[64], name[200];
static struct end e;
static uint8_t buf[IIP_PCAP_MAX + 64];
static char text[400];
static struct iip_port_err err = {text, sizeof(text)};

static void save(const void *bytes, size_t len)
{
    FILE *f = fopen(path, "wb");
    CHECK_EQ(fwrite(bytes, 1, len, f), len);
    fclose(f);
}

static void put(uint8_t **p, uint32_t v, int swap)
{
    v = swap ? __builtin_bswap32(v) : v;
    memcpy(*p, &v, 4);
    *p += 4;
}

/* A file of two packets, of 60 and 70 bytes, captured at 1.5 s and 2.25 s. */
static size_t two_packets(uint8_t *to, uint32_t magic, uint32_t link, int swap)
{
    uint32_t second = magic == 0xa1b23c4d ? 1000 : 1;
    uint8_t *p = to;
    put(&p, magic, swap);
    put(&p, swap ? 0x00020004 : 0x00040002, swap);
    put(&p, 0, swap);
    put(&p, 0, swap);
    put(&p, 65535, swap);
    put(&p, link, swap);
    for (uint32_t i = 0; i < 2; i++) {
        put(&p, 1 + i, swap);
        put(&p, (i ? 250000 : 500000) * second, swap);
        put(&p, 60 + 10 * i, swap);
        put(&p, 60 + 10 * i, swap);
        memset(p, (int)(0x45 + i), 60 + 10 * i);
        p += 60 + 10 * i;
    }
    return (size_t)(p - to);
}

static void reads_every_dialect(void)
{
    static const struct {
        uint32_t magic, link;
        int swap, l3;
    } all[] = {{0xa1b2c3d4, 1, 0, 0},   {0xa1b2c3d4, 1, 1, 0},  {0xa1b23c4d, 1, 0, 0},
               {0xa1b23c4d, 101, 1, 1}, {0xa1b2c3d4, 12, 0, 1}, {0xa1b2c3d4, 228, 0, 1}};
    for (uint32_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct iip_pcap_reader r;
        struct iip_pcap_record rec;
        save(buf, two_packets(buf, all[i].magic, all[i].link, all[i].swap));
        REQUIRE(iip_pcap_open(&r, path, &err) == IIP_OK);
        CHECK_EQ(r.packets, 2);
        CHECK_EQ(r.l3, all[i].l3);
        CHECK_EQ(iip_pcap_read(&r, &rec, buf), 1);
        CHECK_EQ(rec.len, 60);
        CHECK_EQ(rec.time_us, 1500000);
        CHECK_EQ(buf[59], 0x45);
        CHECK_EQ(iip_pcap_read(&r, &rec, buf), 1);
        CHECK_EQ(rec.len, 70);
        CHECK_EQ(rec.time_us, 2250000);
        CHECK_EQ(iip_pcap_read(&r, &rec, buf), 0);
        iip_pcap_close(&r);
    }
}

static void expect_bad(size_t len, int status, const char *part)
{
    struct iip_pcap_reader r;
    save(buf, len);
    text[0] = 0;
    CHECK_EQ(iip_pcap_open(&r, path, &err), status);
    if (!CHECK(strstr(text, part) != NULL))
        printf("  %s\n", text);
}

static void says_what_is_wrong(void)
{
    struct iip_pcap_reader r;
    size_t len = two_packets(buf, 0xa1b2c3d4, 1, 0);
    expect_bad(0, IIP_E_INVAL, "no capture file");
    expect_bad(3, IIP_E_INVAL, "no capture file");
    expect_bad(23, IIP_E_INVAL, "23 of 24 bytes");
    expect_bad(30, IIP_E_INVAL, "packet 1 at byte 24 is cut short in its header");
    expect_bad(99, IIP_E_INVAL, "packet 1 at byte 24 is cut short: it has 59 of 60 bytes");
    expect_bad(len - 1, IIP_E_INVAL, "packet 2 at byte 100 is cut short: it has 69 of 70 bytes");
    memset(buf + 32, 0xff, 4);
    expect_bad(len, IIP_E_INVAL, "4294967295 bytes, more than");
    two_packets(buf, 0xa1b2c3d4, 113, 0);
    expect_bad(len, IIP_E_NOT_SUPPORTED, "link type 113");
    two_packets(buf, 0x0a0d0d0a, 1, 0);
    expect_bad(len, IIP_E_INVAL, "pcapng; convert it");
    CHECK_EQ(iip_pcap_open(&r, "/tmp/iip-no-such-file", &err), IIP_E_NOT_FOUND);
    CHECK_EQ(iip_pcap_open(&r, "/tmp", &err), IIP_E_INVAL);
}

/* Every length, and thousands of damaged files: an error or a file that reads to its end; never more bytes than it has. */
static void survives_damage(void)
{
    uint8_t good[400], bad[400];
    size_t len = two_packets(good, 0xa1b2c3d4, 1, 0);
    uint32_t seed = 1, opened = 0;
    int fd = memfd_create("iip", 0); /* thousands of files, and no disk */
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    for (uint32_t i = 0; i < 3000; i++) {
        struct iip_pcap_reader r;
        struct iip_pcap_record rec;
        size_t have = i < len ? i : len;
        memcpy(bad, good, sizeof(good));
        for (uint32_t k = 0; i >= len && k <= i % 4; k++) {
            seed = seed * 1664525 + 1013904223;
            bad[(seed >> 8) % (i & 1 ? len : 40)] = (uint8_t)(seed >> 24);
        }
        REQUIRE(ftruncate(fd, 0) == 0 && pwrite(fd, bad, have, 0) == (ssize_t)have);
        if (iip_pcap_open(&r, name, &err) < 0)
            continue;
        opened++;
        uint64_t n = 0, bytes = 24;
        while (iip_pcap_read(&r, &rec, buf)) {
            n++;
            bytes += 16 + rec.len;
        }
        CHECK_EQ(n, r.packets);
        CHECK_EQ(bytes, have);
        iip_pcap_close(&r);
    }
    CHECK(opened > 200);
    close(fd);
}

/* ---- replay ---- */

static void replays(void)
{
    struct iip_port_stats st;
    struct pollfd p = {.events = POLLIN};
    save(buf, two_packets(buf, 0xa1b2c3d4, 1, 0));
    snprintf(name, sizeof(name), "pcap:%s", path);
    REQUIRE(end_open(&e, name, NULL) == IIP_OK);
    CHECK_EQ(e.info.link_up, 1);
    CHECK_EQ(e.info.stack_flags, 0);
    p.fd = e.ops->fd(e.q);
    CHECK_EQ(poll(&p, 1, 60000), 1);
    CHECK_EQ(end_recv(&e, buf, sizeof(buf), NULL), 60);
    CHECK_EQ(buf[0], 0x45);
    CHECK_EQ(e.ops->changed(e.port), 0);
    CHECK_EQ(end_recv(&e, buf, sizeof(buf), NULL), 70);
    CHECK_EQ(end_recv(&e, buf, sizeof(buf), NULL), -1);
    CHECK_EQ(e.ops->changed(e.port), 1);
    CHECK_EQ(e.ops->changed(e.port), 0);
    e.ops->info(e.port, &e.info);
    CHECK_EQ(e.info.link_up, 0);
    p.fd = e.ops->fd(e.q);
    CHECK_EQ(poll(&p, 1, 0), 0);
    CHECK_EQ(end_send(&e, "gone", 4), 1);
    e.ops->stats(e.q, &st);
    CHECK_EQ(st.rx_packets, 2);
    CHECK_EQ(st.rx_bytes, 130);
    CHECK_EQ(st.tx_packets, 1);
    CHECK_EQ(st.tx_bytes, 4);
    CHECK_EQ(end_close(&e), 0);
}

static void replays_in_rhythm(void)
{
    struct pollfd p = {.events = POLLIN};
    uint8_t *second = buf + 24 + 76;
    size_t len = two_packets(buf, 0xa1b2c3d4, 101, 0);
    uint32_t usec = 540000, sec = 3601;
    memcpy(second, &sec, 4); /* an hour after the first */
    save(buf, len);
    snprintf(name, sizeof(name), "pcap:%s,pace=on", path);
    REQUIRE(end_open(&e, name, NULL) == IIP_OK);
    CHECK_EQ(end_recv(&e, buf, sizeof(buf), NULL), 60);
    CHECK_EQ(end_recv(&e, buf, sizeof(buf), NULL), -1);
    p.fd = e.ops->fd(e.q);
    CHECK_EQ(poll(&p, 1, 0), 0);
    CHECK_EQ(end_close(&e), 0);
    two_packets(buf, 0xa1b2c3d4, 101, 0);
    sec = 1;
    memcpy(second, &sec, 4);
    memcpy(second + 4, &usec, 4); /* 40 ms after the first */
    save(buf, len);
    REQUIRE(end_open(&e, name, NULL) == IIP_OK);
    CHECK_EQ(e.info.stack_flags, IIP_STACK_L3);
    CHECK_EQ(end_recv(&e, buf, sizeof(buf), NULL), 60);
    while (end_recv(&e, buf, sizeof(buf), NULL) < 0) {
        p.fd = e.ops->fd(e.q);
        REQUIRE(poll(&p, 1, 60000) == 1);
    }
    CHECK_EQ(end_close(&e), 0);
}

/* What does not fit into one frame comes as a chain. */
static void replays_large_packets(void)
{
    struct iip_pcap_writer w;
    static uint8_t record[16 + 60000];
    REQUIRE(iip_pcap_create(&w, path, 0, &err) == IIP_OK);
    CHECK_EQ(iip_pcap_format(record, 5, 60000), 16);
    for (uint32_t i = 0; i < 60000; i++)
        record[16 + i] = (uint8_t)(i >> 5);
    iip_pcap_write(&w, record, sizeof(record));
    iip_pcap_finish(&w);
    snprintf(name, sizeof(name), "pcap:%s", path);
    REQUIRE(end_open(&e, name, NULL) == IIP_OK);
    e.stk.fail_after = 3;
    CHECK_EQ(end_recv(&e, buf, sizeof(buf), NULL), -1);
    CHECK_EQ(end_recv(&e, buf, sizeof(buf), NULL), 60000);
    CHECK_MEM(buf, record + 16, 60000);
    CHECK_EQ(end_close(&e), 0);
}

static void writes_what_is_sent(void)
{
    struct iip_pcap_reader r;
    struct iip_pcap_record rec;
    save(buf, two_packets(buf, 0xa1b2c3d4, 1, 0));
    snprintf(name, sizeof(name), "pcap:%s,out=%s", path, path2);
    REQUIRE(end_open(&e, name, NULL) == IIP_OK);
    CHECK_EQ(end_send(&e, "hello", 5), 1);
    CHECK_EQ(end_close(&e), 0);
    REQUIRE(iip_pcap_open(&r, path2, &err) == IIP_OK);
    CHECK_EQ(iip_pcap_read(&r, &rec, buf), 1);
    CHECK_EQ(rec.len, 5);
    CHECK_MEM(buf, "hello", 5);
    CHECK_EQ(iip_pcap_read(&r, &rec, buf), 0);
    iip_pcap_close(&r);
}

static void expect_error(const char *port, const char *record, int status, const char *part)
{
    struct iip_port_cfg cfg = {.pcap = record};
    int got = end_open(&e, port, &cfg);
    CHECK_EQ(got, status);
    if (!CHECK(strstr(e.err, part) != NULL))
        printf("  %s\n", e.err);
    if (got >= 0)
        end_close(&e);
}

static void refuses_bad_names(void)
{
    expect_error("pcap:", NULL, IIP_E_INVAL, "name the capture file");
    expect_error("pcap:/tmp/iip-no-such-file", NULL, IIP_E_NOT_FOUND, "/tmp/iip-no-such-file");
    save("not a capture", 13);
    snprintf(name, sizeof(name), "pcap:%s", path);
    expect_error(name, NULL, IIP_E_INVAL, "magic");
    expect_error("pair:p", "/no/such/dir/x.pcap", IIP_E_NOT_FOUND, "/no/such/dir/x.pcap");
    CHECK_EQ(end_open(&e, "pair:p", NULL), IIP_OK); /* the failed one was closed */
    CHECK_EQ(e.info.link_up, 0);
    CHECK_EQ(end_close(&e), 0);
}

/* ---- the recorder ---- */

static uint32_t pseudo_sum(const uint8_t *frame, uint32_t l4_len)
{
    uint32_t sum = frame[23] + l4_len;
    for (uint32_t i = 26; i < 34; i += 2)
        sum += (uint32_t)frame[i] << 8 | frame[i + 1];
    return (sum & 0xffff) + (sum >> 16);
}

/* Sent packets stand in the file with the checksums that the device was to fill in; what was refused is not there yet. */
static void records_complete_checksums(void)
{
    struct iip_port_cfg cfg = {.frames = 256, .ring = 64, .pcap = path};
    struct iip_pcap_reader r;
    struct iip_pcap_record rec;
    struct end other;
    struct iip_pkt *pkts[80], *pkt;
    uint8_t frame[100], want[100];
    uint32_t len = udp_frame(frame, 1, 2, 33, 7), sum = pseudo_sum(frame, 41), taken;
    memcpy(want, frame, len);
    frame[24] = frame[25] = 0;
    frame[40] = (uint8_t)(sum >> 8);
    frame[41] = (uint8_t)sum;
    REQUIRE(end_open(&e, "pair:p", &cfg) == IIP_OK);
    cfg.pcap = NULL;
    REQUIRE(end_open(&other, "pair:p", &cfg) == IIP_OK);
    for (uint32_t i = 0; i < 3; i++)
        CHECK_EQ(end_send(&e, want, len), 1);
    for (uint32_t i = 0; i < 80; i++) {
        pkts[i] = end_pkt(&e, frame, len);
        pkts[i]->flags = IIP_PKT_IP_CSUM | IIP_PKT_L4_CSUM | IIP_PKT_IPV4 | IIP_PKT_UDP;
        pkts[i]->l2_len = 14;
        pkts[i]->l3_len = 20;
        pkts[i]->l4_len = 8;
    }
    taken = e.ops->tx(e.q, pkts, 80);
    CHECK_EQ(taken, 61);
    for (uint32_t i = 0; i < 3; i++)
        CHECK_EQ(end_recv(&other, buf, sizeof(buf), NULL), len);
    CHECK_EQ(other.ops->rx(other.q, &pkt, 1), 1);
    CHECK_MEM(pkt->data, frame, len); /* the packet itself was left alone */
    iip_pkt_free(&other.stk, pkt);
    CHECK_EQ(end_send(&other, frame, len), 1); /* received, marked as right */
    CHECK_EQ(end_recv(&e, buf, sizeof(buf), NULL), len);
    for (uint32_t i = taken; i < 80; i++)
        iip_pkt_free(&e.stk, pkts[i]);
    e.ops->fd(e.q); /* before a wait, all is on its way to the disk */
    REQUIRE(iip_pcap_open(&r, path, &err) == IIP_OK);
    CHECK_EQ(r.packets, 65);
    while (iip_pcap_read(&r, &rec, buf)) {
        CHECK_EQ(rec.len, len);
        CHECK_MEM(buf, want, len);
        CHECK_EQ(csum_right(buf, len), 1);
    }
    iip_pcap_close(&r);
    CHECK_EQ(end_close(&e), 0);
    CHECK_EQ(end_close(&other), 0);
}

/* Virtual time stands in the file; wrong checksums of packets that are not marked stay wrong. */
static void records_what_was_there(void)
{
    struct iip_port_cfg cfg = {.pcap = path};
    struct iip_pcap_reader r;
    struct iip_pcap_record rec;
    struct end other;
    uint8_t frame[100];
    uint32_t len = udp_frame(frame, 1, 2, 33, 7);
    frame[50] ^= 1;
    REQUIRE(end_open(&e, "sim:p,clock=virtual", &cfg) == IIP_OK);
    REQUIRE(end_open(&other, "sim:p", NULL) == IIP_OK);
    CHECK_EQ(e.ops->now(e.q), 1000000);
    CHECK_EQ(end_send(&other, frame, len), 1);
    CHECK_EQ(end_recv(&e, buf, sizeof(buf), NULL), len);
    CHECK_EQ(end_close(&e), 0);
    CHECK_EQ(end_close(&other), 0);
    REQUIRE(iip_pcap_open(&r, path, &err) == IIP_OK);
    CHECK_EQ(iip_pcap_read(&r, &rec, buf), 1);
    CHECK_EQ(rec.time_us, 1000000);
    CHECK_MEM(buf, frame, len);
    iip_pcap_close(&r);
}

/* IPv6 with an extension header, a TCP packet in three views, odd length. */
static void completes_ipv6_chains(void)
{
    uint8_t frame[14 + 40 + 8 + 20 + 5] = {2, 0,    0,    0,    0, 2, 2, 0, 0,  0,  0,
                                           1, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 33, 60, 64};
    uint8_t *ip = frame + 14, *tcp = ip + 48, record[16 + 256];
    struct iip_pkt *pkt, *a, *b;
    struct iip_frame *f;
    uint32_t sum = 0, n;
    ip[8] = ip[24] = 0xfd;
    ip[23] = 1, ip[39] = 2;
    ip[40] = 6; /* destination options, then TCP */
    ip[42] = 1, ip[43] = 4;
    tcp[12] = 0x50;
    memcpy(tcp + 20, "hello", 5);
    REQUIRE(end_open(&e, "pair:p", NULL) == IIP_OK);
    pkt = end_pkt(&e, frame, 62);
    f = e.ops->frame_get(e.q, 100);
    a = iip_pkt_new(&e.stk, f, f->base, 23);
    memcpy(a->data, frame + 62, 23);
    f = e.ops->frame_get(e.q, 100);
    b = iip_pkt_new(&e.stk, f, f->base, 2);
    memcpy(b->data, frame + 85, 2);
    pkt->next = a;
    a->next = b;
    pkt->total = sizeof(frame);
    pkt->flags = IIP_PKT_L4_CSUM | IIP_PKT_IPV6 | IIP_PKT_TCP;
    n = iip_pcap_packet(record, pkt, 0, 0);
    CHECK_EQ(n, 16 + sizeof(frame));
    memcpy(frame, record + 16, sizeof(frame));
    for (uint32_t i = 8; i < 40; i += 2)
        sum += (uint32_t)ip[i] << 8 | ip[i + 1];
    for (uint32_t i = 0; i < 25; i++)
        sum += i & 1 ? tcp[i] : (uint32_t)tcp[i] << 8;
    sum += 6 + 25;
    sum = (sum & 0xffff) + (sum >> 16);
    CHECK_EQ((sum & 0xffff) + (sum >> 16), 0xffff);
    CHECK(tcp[16] || tcp[17]);
    iip_pkt_free(&e.stk, pkt);
    CHECK_EQ(end_close(&e), 0);
}

int main(void)
{
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof(path), "%s/a.pcap", dir);
    snprintf(path2, sizeof(path2), "%s/b.pcap", dir);
    RUN(reads_every_dialect);
    RUN(says_what_is_wrong);
    RUN(survives_damage);
    RUN(replays);
    RUN(replays_in_rhythm);
    RUN(replays_large_packets);
    RUN(writes_what_is_sent);
    RUN(refuses_bad_names);
    RUN(records_complete_checksums);
    RUN(records_what_was_there);
    RUN(completes_ipv6_chains);
    unlink(path);
    unlink(path2);
    rmdir(dir);
    return check_done();
}
