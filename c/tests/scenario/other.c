/* other.c - ICMP, UDP and raw bytes in scripts. */
#include <stdlib.h>
#include <string.h>

#include "scn.h"

static const char *arg(char **w, int n, const char *name)
{
    int i;
    for (i = 0; i + 1 < n; i++)
        if (!strcmp(w[i], name))
            return w[i + 1];
    return NULL;
}

static int64_t arg_number(struct run *r, char **w, int n, const char *name, int64_t otherwise)
{
    const char *text = arg(w, n, name);
    return text ? scn_number(r, text) : otherwise;
}

/* The packet that an ICMP error quotes: a data segment of this flow, from us to the peer. */
static uint32_t quote(struct run *r, char **w, int n, uint8_t *out, size_t cap)
{
    static uint8_t zeros[1500];
    struct segment s;
    uint32_t len;
    segment_init(&s, r->family);
    memcpy(s.src, r->flow->local.ip.b, 16);
    memcpy(s.dst, r->flow->peer.ip.b, 16);
    s.sport = (uint16_t)arg_number(r, w, n, "sport", r->flow->local.port);
    s.dport = r->flow->peer.port;
    s.flags = FL_ACK;
    s.seq = r->flow->own_isn + (uint32_t)arg_number(r, w, n, "seq", 1);
    s.data = zeros;
    s.len = 100;
    len = segment_encode(&s, out, cap);
    if (arg(w, n, "quote"))
        return (r->family == 4 ? 20 : 40) + (uint32_t)arg_number(r, w, n, "quote", 8);
    return len < 576 - 28 ? len : 576 - 28;
}

/* icmp TYPE CODE [mtu N] [seq N] [quote BYTES] [sport N] */
static void inject_icmp(struct run *r, char **w, int n)
{
    uint8_t body[1600], packet[1700];
    struct segment s;
    if (n < 3)
        scn_fail(r, "icmp TYPE CODE [mtu N] [seq N] [quote BYTES] [sport N]");
    memset(body, 0, 8);
    body[0] = (uint8_t)scn_number(r, w[1]);
    body[1] = (uint8_t)scn_number(r, w[2]);
    put32(body + 4, (uint32_t)arg_number(r, w, n, "mtu", 0));
    segment_init(&s, r->family);
    s.proto = r->family == 4 ? PROTO_ICMP : PROTO_ICMP6;
    memcpy(s.src, r->flow->peer.ip.b, 16);
    memcpy(s.dst, r->flow->local.ip.b, 16);
    s.data = body;
    s.len = 8 + quote(r, w, n, body + 8, sizeof(body) - 8);
    world_input(r, packet, segment_encode(&s, packet, sizeof(packet)), 0, 0);
}

static void inject_raw(struct run *r, char **w, int n)
{
    uint8_t packet[2000];
    uint32_t len = 0;
    int i;
    const char *p;
    for (i = 1; i < n; i++)
        for (p = w[i]; p[0] && p[1] && len < sizeof(packet); p += 2) {
            char byte[3] = {p[0], p[1], 0};
            packet[len++] = (uint8_t)strtoul(byte, NULL, 16);
        }
    world_input(r, packet, len, 0, 0);
}

static void inject_udp(struct run *r, char **w, int n)
{
    static uint8_t zeros[1400], packet[1500];
    struct segment s;
    if (n < 4)
        scn_fail(r, "udp SOURCE-PORT DESTINATION-PORT BYTES");
    segment_init(&s, r->family);
    s.proto = PROTO_UDP;
    memcpy(s.src, r->flow->peer.ip.b, 16);
    memcpy(s.dst, r->flow->local.ip.b, 16);
    s.sport = (uint16_t)scn_number(r, w[1]);
    s.dport = (uint16_t)scn_number(r, w[2]);
    s.data = zeros;
    s.len = (uint32_t)scn_number(r, w[3]) % sizeof(zeros);
    world_input(r, packet, segment_encode(&s, packet, sizeof(packet)), 0, 0);
}

void other_inject(struct run *r, char **w, int n)
{
    if (w[0][0] == 'i')
        inject_icmp(r, w, n);
    else if (w[0][0] == 'r')
        inject_raw(r, w, n);
    else
        inject_udp(r, w, n);
}

/* icmp TYPE CODE, or udp SOURCE-PORT DESTINATION-PORT BYTES */
void other_expect(struct run *r, char **w, int n)
{
    static uint8_t packet[72000];
    struct sent *s = world_take(r, NULL);
    struct segment got;
    const char *error;
    if (!s) {
        world_quiet(r);
        scn_fail(r, "nothing was sent");
    }
    memcpy(packet, s->bytes, s->len);
    error = segment_decode(&got, packet, s->len);
    free(s);
    if (error)
        scn_fail(r, "%s", error);
    if (w[0][0] == 'i' &&
        (n < 3 || (got.proto != PROTO_ICMP && got.proto != PROTO_ICMP6) || got.data[0] != scn_number(r, w[1]) ||
         got.data[1] != scn_number(r, w[2])))
        scn_fail(r, "got protocol %u, type %u code %u", got.proto, got.len ? got.data[0] : 0,
                 got.len > 1 ? got.data[1] : 0);
    if (w[0][0] == 'u' &&
        (n < 4 || got.proto != PROTO_UDP || got.sport != scn_number(r, w[1]) || got.dport != scn_number(r, w[2]) ||
         got.len != scn_number(r, w[3])))
        scn_fail(r, "got protocol %u, %u to %u, %u bytes", got.proto, got.sport, got.dport, got.len);
}
