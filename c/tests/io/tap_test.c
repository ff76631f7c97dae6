/* tap_test.c - a TAP device in a namespace of the test's own, with the kernel as the other end. */
#include <arpa/inet.h>
#include <linux/capability.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"
#include "iip/status.h"
#include "netns.h"
#include "stub.h"

#define NAME "iip0"
#define IPV6_OFF "/proc/sys/net/ipv6/conf/default/disable_ipv6" /* else it talks of its own accord */

static struct end tap;
static int control;
static uint8_t kernel_mac[6];
static uint8_t buf[1 << 17];

static void kernel_flags(int up)
{
    struct ifreq ifr = {.ifr_name = NAME};
    ioctl(control, SIOCGIFFLAGS, &ifr);
    ifr.ifr_flags = (short)(up ? ifr.ifr_flags | IFF_UP : ifr.ifr_flags & ~IFF_UP);
    CHECK_EQ(ioctl(control, SIOCSIFFLAGS, &ifr), 0);
}

/* Opens the device; the kernel's side is 10.0.0.2 and knows our address without asking. */
static int open_tap(const char *name)
{
    struct ifreq ifr = {.ifr_name = NAME};
    struct sockaddr_in *in;
    struct arpreq arp;
    if (end_open(&tap, name, NULL) < 0) {
        printf("  %s\n", tap.err);
        return -1;
    }
    if (ioctl(control, SIOCGIFHWADDR, &ifr))
        return -1;
    memcpy(kernel_mac, ifr.ifr_hwaddr.sa_data, 6);
    memset(&arp, 0, sizeof(arp));
    in = (struct sockaddr_in *)&arp.arp_pa;
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(0x0a000001);
    arp.arp_ha.sa_family = ARPHRD_ETHER;
    memcpy(arp.arp_ha.sa_data, tap.info.mac, 6);
    arp.arp_flags = ATF_COM | ATF_PERM;
    strcpy(arp.arp_dev, NAME);
    return ioctl(control, SIOCSARP, &arp);
}

static int udp_socket(uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(0x0a000002)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    return fd;
}

/* The next packet of a protocol over IPv4; its length or -1. Protocol 0: reads all that is there. */
static int recv_ipv4(struct end *e, uint8_t proto, uint16_t *flags, uint16_t *seg_size, uint32_t *views)
{
    for (int empty = 0; empty < (proto ? 3000 : 1);) {
        struct pollfd p = {.fd = e->ops->fd(e->q), .events = POLLIN};
        struct iip_pkt *pkt, *v;
        uint32_t len = 0, n = 0;
        if (!e->ops->rx(e->q, &pkt, 1) || !pkt) {
            poll(&p, 1, proto ? 20 : 0);
            empty++;
            continue;
        }
        for (v = pkt; v; v = v->next, n++) {
            memcpy(buf + len, v->data, v->len);
            len += v->len;
        }
        CHECK_EQ(len, pkt->total);
        if (flags)
            *flags = pkt->flags;
        if (seg_size)
            *seg_size = pkt->seg_size;
        if (views)
            *views = n;
        iip_pkt_free(&e->stk, pkt);
        if (proto && len > 34 && buf[12] == 8 && buf[13] == 0 && buf[23] == proto)
            return (int)len;
    }
    return -1;
}

static void says_what_it_is(void)
{
    REQUIRE(open_tap("tap:" NAME ",up=10.0.0.2/24,mac=02:11:22:33:44:55") == 0);
    CHECK_EQ(tap.info.mtu, 1500);
    CHECK_EQ(tap.info.link_up, 1);
    CHECK_EQ(tap.info.caps, IIP_CAP_TX_TCP_CSUM | IIP_CAP_TX_UDP_CSUM | IIP_CAP_TX_TSO | IIP_CAP_TX_SG);
    CHECK_MEM(tap.info.mac, "\x02\x11\x22\x33\x44\x55", 6);
    CHECK_EQ(tap.info.polls, 0);
    CHECK(tap.info.tso_max > 60000);
    CHECK_EQ(end_close(&tap), 0);
    REQUIRE(open_tap("tap:" NAME ",up=10.0.0.2/24,mtu=9000,csum=off") == 0);
    CHECK_EQ(tap.info.mtu, 9000);
    CHECK_EQ(tap.info.caps, IIP_CAP_TX_SG);
    CHECK_EQ(tap.info.mac[0] & 3, 2);
    CHECK_EQ(end_close(&tap), 0);
    REQUIRE(end_open(&tap, "tap:", NULL) == IIP_OK); /* the kernel picks the name, and nothing is brought up */
    CHECK_EQ(tap.info.link_up, 0);
    CHECK_EQ(end_close(&tap), 0);
}

static void receives_from_the_kernel(const char *port, uint16_t want)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(0x0a000001)};
    uint16_t flags = 0;
    int fd, len;
    REQUIRE(open_tap(port) == 0);
    fd = udp_socket(5000);
    CHECK_EQ(sendto(fd, "hello tap", 9, 0, (struct sockaddr *)&to, sizeof(to)), 9);
    len = recv_ipv4(&tap, 17, &flags, NULL, NULL);
    CHECK_EQ(len, 42 + 9);
    CHECK_MEM(buf, tap.info.mac, 6);
    CHECK_MEM(buf + 42, "hello tap", 9);
    CHECK_EQ(flags, want);
    if (!want)
        CHECK(csum_right(buf, (uint32_t)len));
    close(fd);
    CHECK_EQ(end_close(&tap), 0);
}

static void receives_with_offload(void)
{
    receives_from_the_kernel("tap:" NAME ",up=10.0.0.2/24", IIP_PKT_IP_CSUM_OK | IIP_PKT_L4_CSUM_OK);
}

static void receives_without_offload(void)
{
    receives_from_the_kernel("tap:" NAME ",up=10.0.0.2/24,csum=off", 0);
}

static int heard(int fd, void *to, size_t cap)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 60000) == 1 ? (int)recv(fd, to, cap, 0) : -1;
}

/* Complete checksums; then the pseudo-header sum only, and the packet in two views. */
static void sends_to_the_kernel(void)
{
    uint8_t frame[200], got[100];
    struct iip_pkt *pkt, *tail;
    struct iip_frame *f;
    uint32_t len, sum = 17 + 8 + 20;
    int fd;
    REQUIRE(open_tap("tap:" NAME ",up=10.0.0.2/24") == 0);
    fd = udp_socket(5000);
    len = udp_frame(frame, 7, 5000, 20, 'x');
    memcpy(frame, kernel_mac, 6);
    CHECK_EQ(end_send(&tap, frame, len), 1);
    CHECK_EQ(heard(fd, got, sizeof(got)), 20);
    for (uint32_t i = 26; i < 34; i += 2)
        sum += (uint32_t)frame[i] << 8 | frame[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    frame[40] = (uint8_t)(sum >> 8);
    frame[41] = (uint8_t)sum;
    memset(frame + 42, 'y', 20);
    pkt = end_pkt(&tap, frame, 42);
    f = tap.ops->frame_get(tap.q, 100);
    tail = iip_pkt_new(&tap.stk, f, f->base, 20);
    memcpy(tail->data, frame + 42, 20);
    pkt->next = tail;
    pkt->total = 62;
    pkt->flags = IIP_PKT_L4_CSUM | IIP_PKT_IPV4 | IIP_PKT_UDP;
    pkt->l2_len = 14;
    pkt->l3_len = 20;
    pkt->l4_len = 8;
    CHECK_EQ(tap.ops->tx(tap.q, &pkt, 1), 1);
    CHECK_EQ(heard(fd, got, sizeof(got)), 20);
    CHECK_MEM(got, frame + 42, 20);
    frame[50] ^= 1; /* a checksum that is wrong, and that nobody is to fill in */
    CHECK_EQ(end_send(&tap, frame, len), 1);
    len = udp_frame(frame, 7, 5000, 21, 'z');
    memcpy(frame, kernel_mac, 6);
    CHECK_EQ(end_send(&tap, frame, len), 1);
    CHECK_EQ(heard(fd, got, sizeof(got)), 21);
    close(fd);
    CHECK_EQ(end_close(&tap), 0);
}

/* A TCP packet over IPv4 that is to be cut: the field of its checksum holds the pseudo-header sum. */
static uint32_t tso_frame(uint8_t *frame, uint32_t payload)
{
    uint32_t len = udp_frame(frame, 80, 5000, payload + 12, 0), sum = 6 + 20 + payload;
    frame[23] = 6;
    frame[24] = frame[25] = 0;
    memset(frame + 34, 0, 20);
    frame[35] = 80, frame[36] = 5000 >> 8, frame[37] = 5000 & 255;
    frame[46] = 0x50, frame[47] = 0x18;
    for (uint32_t i = 26; i < 34; i += 2)
        sum += (uint32_t)frame[i] << 8 | frame[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    frame[50] = (uint8_t)(sum >> 8);
    frame[51] = (uint8_t)sum;
    for (uint32_t i = 0; i < payload; i++)
        frame[54 + i] = (uint8_t)(i * 31 >> 3);
    return len;
}

static int packet_socket(void)
{
    int on = 1, fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    ll.sll_ifindex = (int)if_nametoindex(NAME);
    CHECK_EQ(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)&ll, sizeof(ll)), 0);
    return fd;
}

static void sends_large_packets_uncut(void)
{
    static uint8_t frame[1 << 16], got[1 << 17];
    struct virtio_net_hdr head;
    uint32_t len = tso_frame(frame, 40000);
    struct iip_pkt *pkt;
    int fd, n;
    REQUIRE(open_tap("tap:" NAME ",up=10.0.0.2/24") == 0);
    fd = packet_socket();
    memcpy(frame, kernel_mac, 6);
    pkt = end_pkt(&tap, frame, len);
    pkt->flags = IIP_PKT_TSO | IIP_PKT_IPV4 | IIP_PKT_TCP;
    pkt->l2_len = 14;
    pkt->l3_len = 20;
    pkt->l4_len = 20;
    pkt->seg_size = 1448;
    CHECK_EQ(tap.ops->tx(tap.q, &pkt, 1), 1);
    do
        n = heard(fd, got, sizeof(got));
    while (n > 0 && (n < 60 || got[10 + 12] != 8 || got[10 + 23] != 6));
    REQUIRE(n == (int)(len + sizeof(head)));
    memcpy(&head, got, sizeof(head));
    CHECK_EQ(head.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
    CHECK_EQ(head.gso_size, 1448);
    CHECK_EQ(head.csum_start, 34);
    CHECK_EQ(head.csum_offset, 16);
    CHECK_MEM(got + sizeof(head) + 54, frame + 54, 40000);
    uint32_t sum = 0;
    for (int i = 14; i < 34; i += 2)
        sum += (uint32_t)got[10 + i] << 8 | got[10 + i + 1];
    CHECK_EQ((sum & 0xffff) + (sum >> 16), 0xffff);
    close(fd);
    CHECK_EQ(end_close(&tap), 0);
}

static void receives_large_packets_as_chains(void)
{
    static uint8_t out[1 << 17];
    struct virtio_net_hdr head = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                  .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                  .hdr_len = 54,
                                  .gso_size = 1400,
                                  .csum_start = 34,
                                  .csum_offset = 16};
    uint32_t len = tso_frame(out + sizeof(head), 60000), views = 0, before;
    uint16_t flags = 0, seg_size = 0;
    int fd;
    memcpy(out, &head, sizeof(head));
    REQUIRE(open_tap("tap:" NAME ",up=10.0.0.2/24") == 0);
    fd = packet_socket();
    recv_ipv4(&tap, 0, NULL, NULL, NULL);
    before = tap.ops->frames_free(tap.q);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(write(fd, out, len + sizeof(head)), len + sizeof(head));
        CHECK_EQ(recv_ipv4(&tap, 6, &flags, &seg_size, &views), len);
        CHECK_MEM(buf, out + sizeof(head), 24);
        CHECK_MEM(buf + 54, out + sizeof(head) + 54, 60000);
        CHECK_EQ(flags, IIP_PKT_IP_CSUM_OK | IIP_PKT_L4_CSUM_OK | IIP_PKT_LRO);
        CHECK_EQ(seg_size, 1400);
        CHECK_EQ(views, (60054 - 1920 + 2047) / 2048 + 1);
    }
    CHECK(tap.ops->frames_free(tap.q) >= before - 40); /* nothing but what stands ready */
    close(fd);
    CHECK_EQ(end_close(&tap), 0);
}

static int changed_soon(void)
{
    for (int i = 0; i < 6000; i++) {
        if (tap.ops->changed(tap.port)) {
            tap.ops->info(tap.port, &tap.info);
            return 1;
        }
        usleep(10000);
    }
    return 0;
}

/* No memory for a view in the middle of a packet: it is dropped and counted, no frame is lost, the next one comes. */
static void survives_no_memory_for_views(void)
{
    static uint8_t out[1 << 17];
    struct virtio_net_hdr head = {0};
    struct ifreq ifr = {.ifr_name = NAME, .ifr_mtu = 9000};
    uint32_t len = udp_frame(out + sizeof(head), 1, 2, 8000, 5), free_before;
    struct iip_port_stats st;
    struct iip_pkt *pkt;
    int fd;
    REQUIRE(open_tap("tap:" NAME ",up=10.0.0.2/24,tso=off") == 0);
    CHECK_EQ(ioctl(control, SIOCSIFMTU, &ifr), 0);
    CHECK_EQ(changed_soon(), 1);
    CHECK_EQ(tap.info.mtu, 2048 - 128 - 18); /* it receives longer packets than it sends */
    fd = packet_socket();
    recv_ipv4(&tap, 0, NULL, NULL, NULL);
    CHECK_EQ(tap.ops->rx(tap.q, &pkt, 1), 0);
    free_before = tap.ops->frames_free(tap.q);
    for (uint32_t fail = 1; fail < 4; fail++) {
        CHECK_EQ(write(fd, out, len + sizeof(head)), len + sizeof(head));
        tap.stk.fail_after = fail;
        CHECK_EQ(tap.ops->rx(tap.q, &pkt, 1), 0);
        tap.stk.fail_after = 0;
    }
    tap.ops->stats(tap.q, &st);
    CHECK_EQ(st.rx_dropped, 3);
    CHECK_EQ(tap.ops->frames_free(tap.q), free_before);
    CHECK_EQ(write(fd, out, len + sizeof(head)), len + sizeof(head));
    CHECK_EQ(recv_ipv4(&tap, 17, NULL, NULL, NULL), len);
    CHECK_MEM(buf, out + sizeof(head), len);
    close(fd);
    CHECK_EQ(end_close(&tap), 0);
}

/* The pool runs dry: what is read stays whole, what is not read waits in the kernel. */
static void waits_for_frames(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(0x0a000001)};
    struct iip_pkt *held[200];
    uint32_t n = 0, got;
    int fd;
    REQUIRE(open_tap("tap:" NAME ",up=10.0.0.2/24,frames=100") == 0);
    fd = udp_socket(5000);
    recv_ipv4(&tap, 0, NULL, NULL, NULL);
    for (int i = 0; i < 150; i++)
        sendto(fd, "hello tap", 9, 0, (struct sockaddr *)&to, sizeof(to));
    while ((got = tap.ops->rx(tap.q, held + n, 200 - n)) > 0)
        n += got;
    CHECK(n > 30 && n < 100);
    for (uint32_t i = 0; i < n; i++) {
        CHECK_EQ(held[i]->len, 51);
        iip_pkt_free(&tap.stk, held[i]);
    }
    for (; n < 150; n++)
        REQUIRE(recv_ipv4(&tap, 17, NULL, NULL, NULL) == 51);
    CHECK_EQ(tap.ops->rx(tap.q, held, 1), 0);
    close(fd);
    CHECK_EQ(end_close(&tap), 0);
}

static void notices_link_and_mtu(void)
{
    struct ifreq ifr = {.ifr_name = NAME, .ifr_mtu = 1280};
    struct pollfd p = {.events = POLLOUT};
    uint8_t frame[100];
    uint32_t len = udp_frame(frame, 7, 5000, 20, 'x');
    REQUIRE(open_tap("tap:" NAME ",up=10.0.0.2/24") == 0);
    CHECK_EQ(ioctl(control, SIOCSIFMTU, &ifr), 0);
    CHECK_EQ(changed_soon(), 1);
    CHECK_EQ(tap.info.mtu, 1280);
    CHECK_EQ(tap.info.link_up, 1);
    kernel_flags(0);
    CHECK_EQ(end_send(&tap, frame, len), 0); /* refused, not lost */
    CHECK_EQ(tap.ops->changed(tap.port), 1); /* at once, for the write has told it */
    tap.ops->info(tap.port, &tap.info);
    CHECK_EQ(tap.info.link_up, 0);
    p.fd = tap.ops->fd(tap.q);
    CHECK_EQ(poll(&p, 1, 0), 0); /* a loop that waits for room sleeps */
    kernel_flags(1);
    CHECK_EQ(poll(&p, 1, 60000), 1);
    CHECK_EQ(changed_soon(), 1);
    CHECK_EQ(tap.info.link_up, 1);
    CHECK_EQ(end_send(&tap, frame, len), 1);
    CHECK_EQ(end_close(&tap), 0);
}

static int delete_link(void)
{
    struct {
        struct nlmsghdr nl;
        struct ifinfomsg ifi;
    } msg = {.nl = {.nlmsg_len = sizeof(msg), .nlmsg_type = RTM_DELLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK}};
    uint8_t answer[512];
    int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), ok;
    msg.ifi.ifi_index = (int)if_nametoindex(NAME);
    ok = send(fd, &msg, sizeof(msg), 0) == sizeof(msg) && recv(fd, answer, sizeof(answer), 0) > 0;
    close(fd);
    return ok ? 0 : -1;
}

static void survives_deletion(void)
{
    struct pollfd p = {.events = POLLIN};
    struct iip_port_stats st;
    struct iip_pkt *pkt;
    uint8_t frame[100] = {0};
    REQUIRE(open_tap("tap:" NAME ",up=10.0.0.2/24") == 0);
    CHECK_EQ(delete_link(), 0);
    while (tap.ops->rx(tap.q, &pkt, 1))
        iip_pkt_free(&tap.stk, pkt);
    p.fd = tap.ops->fd(tap.q);
    CHECK_EQ(poll(&p, 1, 0), 0); /* and not an error that would keep a loop awake */
    CHECK_EQ(tap.ops->changed(tap.port), 1);
    tap.ops->info(tap.port, &tap.info);
    CHECK_EQ(tap.info.link_up, 0);
    CHECK_EQ(end_send(&tap, frame, 60), 1);
    tap.ops->stats(tap.q, &st);
    CHECK_EQ(st.tx_dropped, 1);
    CHECK_EQ(end_close(&tap), 0);
}

static void several_queues(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000001)};
    struct iip_port_queue *q[4];
    uint32_t seen[4] = {0}, all = 0;
    uint8_t frame[100], got[100];
    uint32_t len = udp_frame(frame, 7, 5000, 20, 'x');
    int fd;
    REQUIRE(open_tap("tap:" NAME ",up=10.0.0.2/24,queues=4") == 0);
    CHECK_EQ(tap.info.queues, 4);
    fd = udp_socket(5000);
    memcpy(frame, kernel_mac, 6);
    for (uint32_t i = 0; i < 4; i++) {
        struct iip_pkt *pkt = end_pkt(&tap, frame, len);
        q[i] = tap.ops->queue(tap.port, i);
        tap.ops->attach(q[i], &tap.stk);
        CHECK_EQ(tap.ops->tx(q[i], &pkt, 1), 1);
        CHECK_EQ(heard(fd, got, sizeof(got)), 20);
    }
    for (uint16_t port = 1000; port < 1200; port++) {
        to.sin_port = htons(port);
        sendto(fd, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to));
    }
    for (uint32_t i = 0; i < 4; i++) {
        struct iip_pkt *pkt;
        while (tap.ops->rx(q[i], &pkt, 1)) {
            seen[i] += pkt->data[12] == 8 && pkt->data[13] == 0 && pkt->data[23] == 17;
            iip_pkt_free(&tap.stk, pkt);
        }
        CHECK(seen[i] > 10);
        all += seen[i];
    }
    CHECK_EQ(all, 200);
    close(fd);
    CHECK_EQ(end_close(&tap), 0);
}

/* The queue in which the next UDP packet of ours arrives; -1: none does. */
static int queue_of_next(struct iip_port_queue **q, uint32_t n)
{
    int found = -1;
    for (int tries = 0; tries < 200 && found < 0; tries++) {
        for (uint32_t i = 0; i < n; i++) {
            struct iip_pkt *pkt;
            while (found < 0 && tap.ops->rx(q[i], &pkt, 1)) {
                if (pkt->data[12] == 8 && pkt->data[13] == 0 && pkt->data[23] == 17)
                    found = (int)i;
                iip_pkt_free(&tap.stk, pkt);
            }
        }
        if (found < 0)
            usleep(1000);
    }
    return found;
}

/* Whichever queue answers: what the kernel sends next must not overtake what it has sent. */
static void a_flow_stays_in_its_queue(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(7), .sin_addr.s_addr = htonl(0x0a000001)};
    struct iip_port_queue *q[2];
    uint8_t frame[100], got[100];
    uint32_t len = udp_frame(frame, 7, 5000, 20, 'x');
    int fd, home;
    REQUIRE(open_tap("tap:" NAME ",up=10.0.0.2/24,queues=2") == 0);
    fd = udp_socket(5000);
    memcpy(frame, kernel_mac, 6);
    for (uint32_t i = 0; i < 2; i++) {
        q[i] = tap.ops->queue(tap.port, i);
        tap.ops->attach(q[i], &tap.stk);
    }
    sendto(fd, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to));
    home = queue_of_next(q, 2);
    REQUIRE(home >= 0);
    for (uint32_t i = 0; i < 4; i++) {
        struct iip_pkt *pkt = end_pkt(&tap, frame, len);
        CHECK_EQ(tap.ops->tx(q[i & 1], &pkt, 1), 1);
        CHECK_EQ(heard(fd, got, sizeof(got)), 20);
        sendto(fd, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to));
        CHECK_EQ(queue_of_next(q, 2), home);
    }
    close(fd);
    CHECK_EQ(end_close(&tap), 0);
}

static void ipv6_address(void)
{
    struct in6_addr want = {.s6_addr = {0xfd, 0, 0, 9, [15] = 1}};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = want};
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);
    netns_write(IPV6_OFF, "0");
    REQUIRE(open_tap("tap:" NAME ",up=10.0.0.2/24,up=10.0.1.2/24,up=fd00:9::1/64") == 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)&in6, sizeof(in6)), 0); /* at once: there is nobody to ask for duplicates */
    close(fd);
    CHECK_EQ(end_close(&tap), 0);
    netns_write(IPV6_OFF, "1");
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

static void says_why_not(void)
{
    expect_error("tap:a-name-that-is-too-long", IIP_E_INVAL, "use at most 15");
    expect_error("tap:a/b", IIP_E_INVAL, "no '/'");
    expect_error("tap:x,mtu=100", IIP_E_RANGE, "mtu=100: use 576 to 9000");
    expect_error("tap:x,up=10.0.0.300/24", IIP_E_INVAL, "up=10.0.0.300/24");
    expect_error("tap:x,up=10.0.0.1/33", IIP_E_INVAL, "up=10.0.0.1/33");
    expect_error("tap:x,frames=64", IIP_E_RANGE, "frames=64");
    expect_error("tap:x,frame_size=512", IIP_E_RANGE, "frame_size=512: a packet of mtu=1500 does not fit");
    expect_error("tap:lo", IIP_E_INVAL, "no TAP device");
    REQUIRE(open_tap("tap:" NAME ",up=10.0.0.2/24") == 0);
    expect_error("tap:" NAME, IIP_E_BUSY, "another program");
    CHECK_EQ(end_close(&tap), 0);
}

static void says_which_right_is_missing(void)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0}};
    int status;
    pid_t pid;
    fflush(stdout);
    pid = fork();
    if (!pid) {
        check_failures = 0;
        syscall(SYS_capset, &head, none);
        expect_error("tap:" NAME, IIP_E_ACCESS, "unshare -Urn");
        fflush(stdout);
        _exit(check_failures);
    }
    waitpid(pid, &status, 0);
    CHECK_EQ(status, 0);
}

int main(void)
{
    if (access("/dev/net/tun", R_OK | W_OK)) {
        printf("skipped: /dev/net/tun: %s\n", strerror(errno));
        return CHECK_SKIPPED;
    }
    if (netns_enter())
        return CHECK_SKIPPED;
    netns_write(IPV6_OFF, "1");
    control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    RUN(says_what_it_is);
    RUN(receives_with_offload);
    RUN(receives_without_offload);
    RUN(sends_to_the_kernel);
    RUN(sends_large_packets_uncut);
    RUN(receives_large_packets_as_chains);
    RUN(survives_no_memory_for_views);
    RUN(waits_for_frames);
    RUN(notices_link_and_mtu);
    RUN(survives_deletion);
    RUN(several_queues);
    RUN(a_flow_stays_in_its_queue);
    RUN(ipv6_address);
    RUN(says_why_not);
    RUN(says_which_right_is_missing);
    return check_done();
}
