/* net_test.h - what the tests of this room share: a stack with addresses, and short words for common questions. */
#ifndef IIP_TESTS_NET_TEST_H
#define IIP_TESTS_NET_TEST_H

#include "check.h"
#include "fake_packet.h"

static struct fake_host h;
static struct fake_buf b;
static struct fake_view v;

static const uint8_t mac_ours[6] __attribute__((unused)) = FAKE_MAC_OURS;
static const uint8_t mac_peer[6] __attribute__((unused)) = FAKE_MAC_PEER;
static const uint8_t mac_third[6] __attribute__((unused)) = {2, 0, 0, 0, 0, 3};
static const uint8_t mac_all[6] __attribute__((unused)) = FAKE_MAC_ALL;

/* A stack with the usual addresses and routes; flags and caps as for iip_stack_cfg. */
static inline int net_open(uint32_t flags, uint32_t caps)
{
    struct iip_stack_cfg cfg;
    fake_cfg(&cfg);
    cfg.flags = flags;
    cfg.caps = caps;
    if (fake_open(&h, &cfg))
        return -1;
    return fake_addrs(&h);
}

/* The end of every test: the account closes, the marks were right, and all came home. */
static inline void net_close(void)
{
    fake_notes_drop(&h);
    CHECK_EQ(fake_account(&h), 0);
    CHECK_EQ(h.mark_errors, 0);
    CHECK_EQ(fake_close(&h), 0);
}

static inline void net_input(void)
{
    fake_input(&h, b.bytes, b.len);
}

/* Reads the i-th captured packet into v; 0 when there is none, or it is malformed. */
static inline int net_sent(uint32_t i)
{
    if (i >= h.sent_count)
        return 0;
    return fake_read(&v, &h.sent[i], h.cfg.flags & IIP_STACK_L3 ? 0 : 14) == 0;
}

static inline int net_is_ip(const struct iip_ip *ip, const char *text)
{
    struct iip_ip other;
    return memcmp(ip->b, fake_ip(&other, text)->b, 16) == 0;
}

/* Is the i-th captured packet ARP with this operation, these addresses, to this station? */
static inline int net_is_arp(uint32_t i, int op, const char *sender, const char *target, const uint8_t *to)
{
    const uint8_t *p;
    struct iip_ip ip;
    if (i >= h.sent_count || h.sent[i].len != 42)
        return 0;
    p = h.sent[i].bytes;
    return p[12] == 8 && p[13] == 6 && p[21] == op && memcmp(p, to, 6) == 0 && memcmp(p + 6, mac_ours, 6) == 0 &&
        memcmp(p + 22, mac_ours, 6) == 0 && memcmp(p + 28, fake_ip(&ip, sender)->b + 12, 4) == 0 &&
        memcmp(p + 38, fake_ip(&ip, target)->b + 12, 4) == 0;
}

/* A socket on our port 1000. */
static inline struct iip_udp_sock *net_socket(const char *local, uint16_t port)
{
    struct iip_endpoint ep = fake_endpoint(local, port);
    struct iip_udp_sock *sock = NULL;
    CHECK_EQ(iip_udp_open(h.stk, &ep, NULL, NULL, &sock), IIP_OK);
    return sock;
}

/* Sends `len` bytes to an endpoint; the status. */
static inline int net_send(struct iip_udp_sock *sock, const char *to, uint16_t port, const void *bytes, size_t len)
{
    struct iip_endpoint ep = fake_endpoint(to, port);
    struct iip_pkt *pkt = fake_pkt(&h, bytes, len);
    int status = pkt ? iip_udp_send(h.stk, sock, NULL, &ep, pkt) : IIP_E_NOBUFS;
    if (status)
        iip_pkt_free(h.stk, pkt);
    fake_output(&h);
    return status;
}

static inline int net_set(const char *name, uint64_t value)
{
    return iip_stack_set(h.stk, name, value);
}

static inline uint64_t net_counter(const char *name)
{
    return fake_counter(&h, name);
}

#endif
