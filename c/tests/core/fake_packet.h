/*
 * fake_packet.h - packets as bytes, made and read by code that shares nothing with the core.
 *
 *     struct fake_buf b;
 *     struct fake_hdr hdr = fake_v4();                   from 10.0.0.2 (02:..:02) to 10.0.0.1 (02:..:01)
 *     fake_udp(&b, &hdr, 1000, 53, "hello", 5);
 *     fake_input(&h, b.bytes, b.len);
 *     fake_read(&v, &h.sent[0], 14); CHECK_EQ(v.proto, 1); CHECK(v.csum_ok);
 */
#ifndef IIP_TESTS_FAKE_PACKET_H
#define IIP_TESTS_FAKE_PACKET_H

#include "fake_host.h"

#define FAKE_MAC_OURS { 2, 0, 0, 0, 0, 1 }
#define FAKE_MAC_PEER { 2, 0, 0, 0, 0, 2 }
#define FAKE_MAC_ALL { 255, 255, 255, 255, 255, 255 }
#define FAKE_V4_OURS "10.0.0.1"
#define FAKE_V4_PEER "10.0.0.2"
#define FAKE_V4_GATEWAY "10.0.0.254"
#define FAKE_V6_OURS "fd00::1"
#define FAKE_V6_PEER "fd00::2"
#define FAKE_V6_GATEWAY "fd00::fe"

struct fake_buf {
    uint8_t bytes[66000];
    uint32_t len;
};

/* What stands below the transport. Family: from the addresses. */
struct fake_hdr {
    uint32_t l3;             /* 1: no Ethernet header */
    uint8_t eth_dst[6], eth_src[6];
    struct iip_ip src, dst;
    uint8_t ttl, tos;
    uint16_t id;
    uint16_t frag;           /* IPv4: flags and offset field as it stands in the header */
    uint32_t total_add;      /* added to the length field of the IP header, to lie */
    uint32_t bad_csum;       /* 1: the transport's checksum is wrong */
    const uint8_t *opts;     /* IPv4 options or IPv6 extension headers (then `ext_first` is the first's number) */
    uint32_t opts_len;
    uint8_t ext_first;
};

struct fake_seg { /* a TCP segment */
    uint16_t src_port, dst_port;
    uint32_t seq, ack;
    uint8_t flags;
    uint16_t wnd, urg;
    const uint8_t *opts;
    uint32_t opts_len;       /* a multiple of 4 */
};

/* Parses "a.b.c.d" or an IPv6 address; returns ip. */
struct iip_ip *fake_ip(struct iip_ip *ip, const char *text);
struct iip_endpoint fake_endpoint(const char *text, uint16_t port);
/* From the peer to us, TTL 64 (255 over IPv6). */
struct fake_hdr fake_v4(void);
struct fake_hdr fake_v6(void);

uint32_t fake_eth(struct fake_buf *b, const uint8_t *dst, const uint8_t *src, uint16_t type);
void fake_ip_packet(struct fake_buf *b, const struct fake_hdr *hdr, uint8_t proto, const void *payload, size_t len);
void fake_udp(struct fake_buf *b, const struct fake_hdr *hdr, uint16_t src_port, uint16_t dst_port, const void *payload,
              size_t len);
void fake_tcp(struct fake_buf *b, const struct fake_hdr *hdr, const struct fake_seg *seg, const void *payload,
              size_t len);
/* ICMP or ICMPv6, by the family of hdr. */
void fake_icmp(struct fake_buf *b, const struct fake_hdr *hdr, uint8_t type, uint8_t code, uint32_t word,
               const void *payload, size_t len);
void fake_arp(struct fake_buf *b, uint16_t op, const uint8_t *sender_mac, const char *sender, const uint8_t *target_mac,
              const char *target);
/* Neighbour solicitation (135) or advertisement (136) with the option of a station's address; mac null: without. */
void fake_ndp(struct fake_buf *b, const struct fake_hdr *hdr, uint8_t type, uint32_t flags, const char *target,
              const uint8_t *mac);
/* Teaches the stack a neighbour, permanently. */
int fake_neigh(struct fake_host *h, const char *ip);

/* A captured packet, taken apart. */
struct fake_view {
    const uint8_t *eth;      /* null at L3 */
    uint16_t type;           /* EtherType, or by the IP version at L3 */
    const uint8_t *ip;
    struct iip_ip src, dst;
    uint8_t proto;           /* behind IPv6 extension headers */
    uint8_t ttl, tos;
    uint16_t id;
    uint32_t frag_offset, frag_id, more; /* of either family */
    int df;
    const uint8_t *l4;
    uint32_t l4_len;         /* header and payload */
    const uint8_t *payload;  /* behind the header of TCP, UDP, ICMP */
    uint32_t payload_len;
    uint16_t src_port, dst_port;
    uint32_t seq, ack;       /* TCP */
    uint8_t flags;
    uint16_t wnd;
    uint8_t icmp_type, icmp_code;
    int csum_ok;             /* all checksums that there are; not that of a fragment's transport */
};

/* 0, or -1 when the packet is malformed. */
int fake_read(struct fake_view *v, const struct fake_packet *p, uint32_t l2_len);
/* Does what the marks ask of a port; -1 when they do not fit the bytes. */
int fake_finish(struct fake_packet *p, uint32_t l2_len);

uint16_t fake_csum(const void *bytes, size_t len, uint32_t start);

#endif
