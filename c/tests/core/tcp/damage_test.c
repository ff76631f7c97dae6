/* covers: A01, A02, A03, A04, MUST-7 */
#include "peer.h"

/* A segment with every option, cut and damaged in every way with its checksums put right again: nothing breaks. */
static uint32_t build(struct peer *p, uint8_t *packet, size_t cap, uint8_t flags)
{
    static const uint8_t opts[40] = {2, 4, 5,  180, 4, 2,  8, 10, 0, 0,  0, 9, 0, 0,  0, 0, 1, 3,  3, 7,
                                     1, 5, 18, 0,   0, 16, 0, 0,  0, 17, 0, 0, 0, 18, 0, 0, 0, 19, 0, 0};
    static uint8_t payload[16];
    struct segment s;
    segment_init(&s, 4);
    memcpy(s.src, p->theirs.b, 16);
    memcpy(s.dst, p->ours.b, 16);
    s.sport = p->their_port;
    s.dport = p->our_port;
    s.seq = p->seq;
    s.ack = p->ack;
    s.flags = flags;
    s.win = 1000;
    memcpy(s.opts, opts, 40);
    s.opt_len = 40;
    s.data = payload;
    s.len = flags & FL_SYN ? 0 : sizeof(payload);
    return segment_encode(&s, packet, cap);
}

static void fix(uint8_t *ip, uint32_t len, int length_too)
{
    struct segment s;
    uint32_t head = (ip[0] & 15u) * 4;
    if (length_too && len >= 4)
        put16(ip + 2, len);
    if (len < 20 || head < 20 || head > len)
        return;
    put16(ip + 10, 0);
    put16(ip + 10, wire_fold(wire_sum(0, ip, head)));
    if (len < head + 18)
        return;
    segment_init(&s, 4);
    memcpy(s.src + 12, ip + 12, 4);
    memcpy(s.dst + 12, ip + 16, 4);
    put16(ip + head + 16, 0);
    put16(ip + head + 16, wire_fold(wire_sum(wire_pseudo(&s, len - head), ip + head, len - head)));
}

static void damaged(uint8_t flags, int established)
{
    static struct peer p;
    uint8_t packet[256], bad[256];
    uint32_t len, n, bit;
    peer_init(&p);
    REQUIRE(peer_new(&p, "damage") == 0);
    p.any_payload = 1;
    p.seq = 1000;
    if (established)
        REQUIRE(peer_accepted(&p));
    len = build(&p, packet, sizeof(packet), flags);
    for (n = 0; n <= len; n++) { /* cut, with and without an honest length */
        memcpy(bad, packet, len);
        peer_raw(&p, bad, n);
        fix(bad, n, 1);
        peer_raw(&p, bad, n);
    }
    for (bit = 0; bit < 8 * len; bit++) { /* flipped, with checksums made right */
        memcpy(bad, packet, len);
        bad[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        fix(bad, len, 0);
        peer_raw(&p, bad, len);
    }
    for (n = 20; n < 80; n++) { /* every byte of the headers is 0, 1, 255 */
        for (bit = 0; bit < 3; bit++) {
            memcpy(bad, packet, len);
            bad[n] = (uint8_t)(bit == 2 ? 255 : bit);
            fix(bad, len, 0);
            peer_raw(&p, bad, len);
        }
    }
    peer_wait(&p, 600 * 1000000u);
    CHECK_EQ(peer_free(&p), 0);
}

static void damaged_syn(void)
{
    damaged(FL_SYN, 0);
}
static void damaged_data(void)
{
    damaged(FL_ACK | FL_PSH | FL_URG, 1);
}
static void damaged_fin(void)
{
    damaged(FL_ACK | FL_FIN, 1);
}

/* What a link puts behind a short packet is no text, whatever the segment: here the last one. */
static void padding_is_no_text(void)
{
    static struct peer p;
    uint8_t packet[256];
    uint32_t len;
    peer_init(&p);
    REQUIRE(peer_new(&p, "padding") == 0);
    p.any_payload = 1;
    p.seq = 1000;
    REQUIRE(peer_accepted(&p));
    len = build(&p, packet, 200, FL_ACK | FL_FIN);
    memset(packet + len, 1, 6);
    peer_raw(&p, packet, len + 6);
    CHECK_EQ(p.bytes_in, 16);
    CHECK(p.fin);
    CHECK_EQ(peer_free(&p), 0);
}

int main(void)
{
    RUN(padding_is_no_text);
    RUN(damaged_syn);
    RUN(damaged_data);
    RUN(damaged_fin);
    return check_done();
}
