/* embed.c - the core alone, with libc and a TAP device: a TCP echo. cc embed.c iip_core.c && ./a.out tap0 10.0.0.2 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include "iip_core.h"
static struct iip_stack *stk;
static int tap;
/* The host's four functions. Memory for a packet, or null; its return; packets out; memory for tables, or null. */
static struct iip_frame *frame_get(void *ctx, iip_u32 size)
{
    struct iip_frame *frame = malloc(sizeof *frame + size), header = {.base = (iip_u8 *)(frame + 1), .size = size};
    return (void)ctx, frame ? memcpy(frame, &header, sizeof header) : NULL;
}
static void frame_put(void *ctx, struct iip_frame *frame)
{
    (void)ctx, free(frame);
}
static iip_u32 transmit(void *ctx, struct iip_pkt **pkts, iip_u32 n)
{
    iip_u32 i; /* packets without room stay with the core */
    for (i = 0; i < n && (write(tap, pkts[i]->data, pkts[i]->len) >= 0 || errno != EAGAIN); i++)
        iip_pkt_free(stk, pkts[i]);
    return (void)ctx, i;
}
static void *mem(void *ctx, void *old, iip_size size)
{
    return (void)ctx, size ? malloc(size) : (free(old), NULL);
}
static iip_u64 now_us(void)
{
    struct timespec t;
    return clock_gettime(CLOCK_MONOTONIC, &t), (iip_u64)t.tv_sec * 1000000 + (iip_u64)t.tv_nsec / 1000;
}
static void echo(const struct iip_note *note) /* a connection's cookie: packets not yet sent back, linked */
{
    struct iip_pkt *pkt = note->user, **end = &pkt, *next;
    struct iip_tcp_info info = {.size = sizeof info};
    int closed = note->type == IIP_NOTE_CLOSED;
    while (*end)
        end = &(*end)->link;
    for (*end = note->pkt; *end; end = &(*end)->link)
        (*end)->aux = 0; /* bytes of it that are sent back */
    for (; pkt; pkt = next) {
        iip_s32 n = closed ? 0 : iip_tcp_write(stk, note->conn, pkt->data + pkt->aux, pkt->len - pkt->aux);
        if (!closed && (n < 0 || (pkt->aux += (iip_u32)n) < pkt->len))
            break; /* no room: WRITABLE follows. Until then what is not credited keeps the peer's window closed */
        if (!closed)
            iip_tcp_credit(stk, note->conn, iip_pkt_charge(pkt));
        next = pkt->link, iip_pkt_free(stk, pkt);
    }
    if (!closed)
        iip_tcp_user_set(note->conn, pkt);
    if (!closed && !pkt && iip_tcp_info(stk, note->conn, &info) > 0 && info.state == IIP_TCP_CLOSE_WAIT && !info.unread)
        iip_tcp_shutdown(stk, note->conn); /* the peer said all, and has it all back */
}
static void turn(iip_u8 *bytes, size_t size)
{
    struct iip_pkt *pkts[32];
    struct iip_note note;
    iip_u32 n = 0;
    for (ssize_t len; n < 32 && (len = read(tap, bytes, size)) > 0;) {
        struct iip_frame *frame = frame_get(NULL, (iip_u32)len);
        pkts[n] = frame ? iip_pkt_new(stk, frame, memcpy(frame->base, bytes, (size_t)len), (iip_u32)len) : NULL;
        pkts[n] ? (void)n++ : free(frame); /* without memory a packet is lost, as on any wire */
    }
    for (iip_stack_input(stk, pkts, n, now_us()); iip_stack_notes(stk, &note, 1);)
        echo(&note); /* one at a time, for it changes the cookie that the next one carries */
    iip_stack_output(stk, now_us());
}
int main(int argc, char **argv)
{
    static iip_u8 bytes[2048];
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    struct iip_stack_cfg cfg = {.size = sizeof cfg, .mac = {2, 0, 0, 0, 0, 2}, .seed = now_us()};
    struct iip_endpoint me = {.ip.b = {[10] = 0xff, 0xff}, .port = 7};
    struct iip_tcp_listener *listener;
    if (argc != 3 || strlen(argv[1]) >= sizeof ifr.ifr_name || inet_pton(AF_INET, argv[2], me.ip.b + 12) != 1)
        return fprintf(stderr, "embed %s: give TAP ADDRESS, as: tap0 10.0.0.2\n", argc > 1 ? argv[1] : ""), 2;
    strcpy(ifr.ifr_name, argv[1]);
    if ((tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK)) < 0 || ioctl(tap, TUNSETIFF, &ifr) < 0)
        return perror("/dev/net/tun: run as root, or in a network namespace of your own"), 2;
    if (getrandom(cfg.key, sizeof cfg.key, 0) != sizeof cfg.key ||
        iip_stack_new(&cfg, &(struct iip_host){NULL, frame_get, frame_put, transmit, mem}, now_us(), &stk) < 0 ||
        iip_stack_addr_add(stk, &me.ip, 24) < 0 || iip_tcp_listen(stk, &me, 128, NULL, &listener) < 0)
        return fprintf(stderr, "embed: no memory, or %s is no address for a host\n", argv[2]), 1;
    for (printf("ready %s:7\n", argv[2]), fflush(stdout);; turn(bytes, sizeof bytes)) {
        iip_u64 now = now_us(), due = iip_stack_deadline(stk), far = now + 999999;
        iip_u64 us = due < now ? 0 : (due < far ? due : far) - now;
        poll(&(struct pollfd){tap, POLLIN | POLLOUT * !!iip_stack_tx_pending(stk), 0}, 1, (int)(us + 999) / 1000);
    }
}
