/*
 * wire.h - the little that ports know of packets: where the headers are, how to finish checksums, how RSS hashes.
 *
 * Everything reads bytes that came from a wire or a file: no length is believed.
 */
#ifndef IIP_IO_WIRE_H
#define IIP_IO_WIRE_H

#include <stdint.h>

#include "iip/core.h"

struct iip_wire {
    uint32_t l3;       /* offset of the IP header */
    uint32_t l4;       /* offset of what follows its options and extension headers */
    uint32_t end;      /* offset behind the IP packet (padding follows) */
    uint8_t family;    /* 4, 6; 0: not IP */
    uint8_t proto;     /* of what stands at l4 */
    uint8_t fragment;  /* 1: not a whole packet */
};

/*
 * Looks at the headers of a packet of `len` bytes, of which the first `have` are at hand; `l3` says that it begins at the
 * IP header. Returns w->family. l4 and end may lie behind what is at hand.
 */
uint32_t iip_wire_parse(struct iip_wire *w, const uint8_t *p, uint32_t have, uint32_t len, int l3);

/* Computes the IPv4 header checksum and that of TCP or UDP, whatever the fields hold now. Fragments keep theirs. */
void iip_wire_csum_fill(uint8_t *p, uint32_t len, int l3);
/* The IPv4 header checksum alone; `ip` has `len` bytes, at least 20. */
void iip_wire_csum_ip(uint8_t *ip, uint32_t len);

/* Copies the bytes of a chain, at most `cap`; returns how many. */
uint32_t iip_wire_copy(uint8_t *to, uint32_t cap, const struct iip_pkt *pkt);
uint32_t iip_wire_bytes(const struct iip_pkt *pkt);

/*
 * Receive-side scaling as a NIC does it: Toeplitz with a key that repeats every 16 bits, so that both directions of a
 * flow have one hash. Packets without ports (fragments, ICMP) are hashed by addresses, others (ARP) have hash 0.
 */
enum { IIP_WIRE_KEY = 40, IIP_WIRE_TABLE = 128 };
uint32_t iip_wire_hash(const struct iip_pkt *pkt, int l3);
/* The same, told to the core: which of `queues` each hash goes to. */
void iip_wire_share(struct iip_share *share, uint32_t queues);

#endif
