/* covers: MUST-3, IP-02, A42 */
#include "peer.h"

static uint32_t build(struct peer *p, uint8_t *packet, size_t cap)
{
    static uint8_t payload[101];
    struct segment s;
    uint32_t i;
    segment_init(&s, 4);
    memcpy(s.src, p->theirs.b, 16);
    memcpy(s.dst, p->ours.b, 16);
    s.sport = p->their_port;
    s.dport = p->our_port;
    s.seq = p->seq;
    s.ack = p->ack;
    s.flags = FL_ACK | FL_PSH;
    s.win = 65535;
    for (i = 0; i < sizeof(payload); i++)
        payload[i] = pattern(i);
    s.data = payload;
    s.len = sizeof(payload);
    return segment_encode(&s, packet, cap);
}

/* Each bit of a valid segment in turn is wrong: it is dropped, in silence, and changes nothing. */
static void every_flipped_bit_is_noticed(void)
{
    static struct peer p;
    uint8_t packet[256], bad[256];
    uint32_t len, bit, sent;
    uint64_t before;
    peer_init(&p);
    REQUIRE(peer_new(&p, "checksum") == 0);
    REQUIRE(peer_accepted(&p));
    len = build(&p, packet, sizeof(packet));
    sent = p.sent;
    for (bit = 0; bit < 8 * len; bit++) {
        before = testhost_counter(p.stk, "rx_delivered");
        memcpy(bad, packet, len);
        bad[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        peer_raw(&p, bad, len);
        if (!CHECK_EQ(testhost_counter(p.stk, "rx_delivered"), before) || !CHECK_EQ(p.bytes_in, 0) ||
            !CHECK_EQ(p.sent, sent))
            printf("    bit %u of byte %u\n", bit % 8, bit / 8);
    }
    CHECK_EQ(peer_state(&p), IIP_TCP_ESTABLISHED);
    peer_raw(&p, packet, len);
    CHECK_EQ(p.bytes_in, 101);
    CHECK_EQ(peer_free(&p), 0);
}

/* A sum of 0xffff and a sum of 0 are the same number; both must be taken. */
static void zero_and_all_ones_are_the_same_sum(void)
{
    static struct peer p;
    uint8_t packet[256];
    uint32_t len, sum;
    peer_init(&p);
    REQUIRE(peer_new(&p, "checksum") == 0);
    REQUIRE(peer_accepted(&p));
    len = build(&p, packet, sizeof(packet));
    put16(packet + 20 + 18, 0);
    sum = get16(packet + 36); /* choose the urgent field so that the sum of all else is 0xffff: the checksum is then 0 */
    put16(packet + 38, sum);
    put16(packet + 36, 0);
    peer_raw(&p, packet, len);
    CHECK_EQ(p.bytes_in, 101);
    CHECK_EQ(peer_free(&p), 0);
}

int main(void)
{
    RUN(every_flipped_bit_is_noticed);
    RUN(zero_and_all_ones_are_the_same_sum);
    return check_done();
}
