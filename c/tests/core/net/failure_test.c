/* failure_test.c - the host refuses a frame, or memory, at the k-th call, for every k: nothing leaks, nothing crashes. */
/* covers: A45 */
#include "net_test.h"

static uint8_t data[4000];

static void pings_and_datagrams(void)
{
    struct fake_hdr hdr = fake_v4();
    fake_icmp(&b, &hdr, 8, 0, 1, data, 100);
    net_input();
    fake_udp(&b, &hdr, 1, 53, data, 700);
    fake_inject_split(&h, b.bytes, b.len, 50);
    hdr.id = 5;
    hdr.frag = 0x2000;
    fake_ip_packet(&b, &hdr, 1, data, 16);
    net_input();
    hdr.frag = 2;
    fake_ip_packet(&b, &hdr, 1, data, 1400);
    net_input();
    hdr = fake_v6();
    fake_icmp(&b, &hdr, 128, 0, 1, data, 100);
    net_input();
    fake_udp(&b, &hdr, 1, 9999, data, 700);
    net_input();
}

static void sends(struct iip_udp_sock *sock)
{
    struct iip_endpoint to = fake_endpoint("10.0.0.3", 7);
    struct iip_pkt *pkt;
    net_send(sock, FAKE_V4_PEER, 7, data, 3000);
    net_send(sock, FAKE_V6_PEER, 7, data, 3000);
    net_send(sock, "8.8.8.8", 7, data, 10);
    net_send(sock, FAKE_V4_OURS, 53, data, 10);
    pkt = fake_pkt(&h, data, 10);
    if (pkt) {
        pkt->frame->flags = IIP_FRAME_READ_ONLY;
        if (iip_udp_send(h.stk, sock, NULL, &to, pkt))
            iip_pkt_free(h.stk, pkt);
    }
}

static void hears(void)
{
    struct fake_hdr hdr = fake_v6();
    fake_arp(&b, 1, mac_peer, FAKE_V4_PEER, NULL, FAKE_V4_OURS);
    net_input();
    fake_arp(&b, 2, mac_third, "10.0.0.3", mac_ours, FAKE_V4_OURS);
    net_input();
    fake_ndp(&b, &hdr, 136, 0x60000000, FAKE_V6_PEER, mac_peer);
    net_input();
    fake_ndp(&b, &hdr, 135, 0, FAKE_V6_OURS, mac_peer);
    net_input();
}

/* Everything that this room does, once. */
static void scenario(void)
{
    struct iip_endpoint ep = fake_endpoint("::", 53);
    struct iip_endpoint peer = fake_endpoint(FAKE_V4_PEER, 9);
    struct iip_udp_sock *sock = NULL;
    struct iip_udp_sock *conn = NULL;
    struct iip_ip ip;
    if (fake_start(&h))
        return;
    fake_addrs(&h);
    net_set("ip.dad", 1);
    iip_stack_addr_add(h.stk, fake_ip(&ip, "10.0.0.44"), 24);
    if (iip_udp_open(h.stk, &ep, NULL, NULL, &sock))
        sock = NULL;
    iip_udp_open(h.stk, NULL, &peer, NULL, &conn);
    pings_and_datagrams();
    if (sock)
        sends(sock);
    hears();
    pings_and_datagrams();
    fake_run(&h, 70000000);
    iip_stack_addr_del(h.stk, &ip);
    fake_notes_drop(&h);
    CHECK_EQ(fake_account(&h), 0);
}

static uint32_t run(uint32_t frame_at, uint32_t mem_at, uint32_t for_ever, uint32_t caps)
{
    struct iip_stack_cfg cfg;
    fake_cfg(&cfg);
    cfg.caps = caps;
    fake_init(&h, &cfg);
    h.frame_fail_at = frame_at;
    h.mem_fail_at = mem_at;
    h.fail_for_ever = for_ever;
    scenario();
    CHECK_EQ(h.mark_errors, 0);
    CHECK_EQ(fake_close(&h), 0);
    return frame_at ? h.frame_calls : h.mem_calls;
}

static void each_frame(void)
{
    uint32_t k;
    uint32_t caps;
    uint32_t forever;
    for (caps = 0; caps <= IIP_CAP_TX_SG; caps += IIP_CAP_TX_SG) {
        for (forever = 0; forever < 2; forever++) {
            for (k = 1; k < 1000 && run(k, 0, forever, caps) >= k; k++)
                ;
            CHECK(k > 30 && k < 1000);
        }
    }
}

static void each_block_of_memory(void)
{
    uint32_t k;
    uint32_t forever;
    for (forever = 0; forever < 2; forever++) {
        for (k = 1; k < 1000 && run(0, k, forever, 0) >= k; k++)
            ;
        CHECK(k > 20 && k < 1000);
    }
}

int main(void)
{
    RUN(each_frame);
    RUN(each_block_of_memory);
    return check_done();
}
