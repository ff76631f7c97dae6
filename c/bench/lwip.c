/* lwip.c - two copies of lwIP, the wire between them, and the program. */
#include "lwip.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

struct lw lw;

static const ip_addr_t lw_any = IPADDR4_INIT(0);

static const char lw_usage[] = "rows: pingpong [--conns N] [--idle N]   bulk   churn [--waiting N]   mem [--units N]\n"
                               "flags: --units N: count at least so many; --reps N: measure the region so often\n";

/* ---- the two copies ---- */

static void *lw_load(void)
{
    char path[] = "/tmp/iip-bench-lwip-XXXXXX";
    int from = open(LWIP_LIBRARY, O_RDONLY);
    int to = mkstemp(path);
    void *dl;
    if (from < 0 || to < 0)
        bench_fail("%s: cannot be copied to /tmp", LWIP_LIBRARY);
    while (sendfile(to, from, 0, 1 << 20) > 0)
        ;
    close(from);
    close(to);
    dl = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    unlink(path);
    if (!dl)
        bench_fail("%s", dlerror());
    return dl;
}

static void *lw_symbol(void *dl, const char *name)
{
    void *p = dlsym(dl, name);
    if (!p)
        bench_fail("%s", dlerror());
    return p;
}

/* ---- the wire ---- */

static void lw_buf_free(struct pbuf *p)
{
    struct lw_buf *buf = (struct lw_buf *)(void *)p;
    buf->next = lw.free;
    lw.free = buf;
}

static struct lw_buf *lw_buf_get(void)
{
    struct lw_buf *buf = lw.free;
    if (!buf) {
        buf = calloc(1, sizeof *buf);
        if (!buf)
            bench_fail("no memory for packets");
        buf->custom.custom_free_function = lw_buf_free;
        return buf;
    }
    lw.free = buf->next;
    return buf;
}

static err_t lw_output(struct netif *netif, struct pbuf *p)
{
    struct lw_end *from = netif->state;
    struct lw_end *to = from->peer;
    struct lw_buf *buf = lw_buf_get();
    if (p->next || p->len > LW_BUF || to->tail - to->head == LW_RING)
        bench_fail("a packet of %u bytes, %u of them in its first part, does not fit the wire", p->tot_len, p->len);
    memcpy(buf->bytes, p->payload, p->len);
    buf->len = p->len;
    to->ring[to->tail++ % LW_RING] = buf;
    return ERR_OK;
}

uint32_t lw_turn(struct lw_end *end)
{
    uint32_t n = end->tail - end->head;
    uint32_t i;
    if (n > LW_BURST)
        n = LW_BURST;
    for (i = 0; i < n; i++) {
        struct lw_buf *buf = end->ring[end->head++ % LW_RING];
        struct pbuf *p =
            end->call.pbuf_alloced_custom(PBUF_RAW, buf->len, PBUF_REF, &buf->custom, buf->bytes, sizeof buf->bytes);
        if (end->netif.input(p, &end->netif) != ERR_OK)
            end->call.pbuf_free(p);
    }
    end->packets += n;
    return n;
}

void lw_settle(void)
{
    while (lw_turn(&lw.server) + lw_turn(&lw.client))
        ;
}

void lw_tick(uint64_t us)
{
    lw.now_us += us;
    while (lw.timer_us + TCP_TMR_INTERVAL * 1000 <= lw.now_us) {
        lw.timer_us += TCP_TMR_INTERVAL * 1000;
        lw.client.call.tcp_tmr();
        lw.server.call.tcp_tmr();
    }
}

/* ---- both ends ---- */

static err_t lw_netif_init(struct netif *netif)
{
    struct lw_end *end = netif->state;
    netif->name[0] = 'b';
    netif->name[1] = 'n';
    netif->mtu = 1500;
    netif->hwaddr_len = 6;
    memset(netif->hwaddr, 0, 6);
    netif->hwaddr[0] = 2;
    netif->hwaddr[5] = end == &lw.client ? 1 : 2;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
    netif->output = end->call.etharp_output;
    netif->linkoutput = lw_output;
    return ERR_OK;
}

static void lw_end_open(struct lw_end *end, struct lw_end *peer, u8_t host)
{
    void *dl = lw_load();
    ip4_addr_t ip, mask, gw;
#define LW_FIND(name) end->call.name = (__typeof__(&name))lw_symbol(dl, #name);
    LW_CALLS(LW_FIND)
#undef LW_FIND
    end->call.active = lw_symbol(dl, "tcp_active_pcbs");
    end->call.time_wait = lw_symbol(dl, "tcp_tw_pcbs");
    end->peer = peer;
    end->ring = calloc(LW_RING, sizeof end->ring[0]);
    if (!end->ring)
        bench_fail("no memory for the wire");
    end->call.lwip_init();
    IP4_ADDR(&ip, 10, 0, 0, host);
    IP4_ADDR(&mask, 255, 255, 0, 0);
    IP4_ADDR(&gw, 0, 0, 0, 0);
    if (!end->call.netif_add(&end->netif, &ip, &mask, &gw, end, lw_netif_init, end->call.ethernet_input))
        bench_fail("netif_add failed");
    end->call.netif_set_default(&end->netif);
}

void lw_open(void)
{
    lw_end_open(&lw.client, &lw.server, 2);
    lw_end_open(&lw.server, &lw.client, 1);
    lw.client.call.netif_set_link_up(&lw.client.netif);
    lw.client.call.netif_set_up(&lw.client.netif);
    lw.server.call.netif_set_link_up(&lw.server.netif);
    lw.server.call.netif_set_up(&lw.server.netif);
    lw.client.call.etharp_request(&lw.client.netif, netif_ip4_addr(&lw.server.netif));
    lw_settle();
}

void lw_listen(tcp_accept_fn accept)
{
    struct lw_end *end = &lw.server;
    struct tcp_pcb *pcb = end->call.tcp_new();
    err_t err = pcb ? end->call.tcp_bind(pcb, &lw_any, LW_PORT) : ERR_MEM;
    if (err == ERR_OK)
        pcb = end->call.tcp_listen_with_backlog(pcb, 255);
    if (err != ERR_OK || !pcb)
        bench_fail("listen: %d", err);
    end->call.tcp_accept(pcb, accept);
}

static void lw_error(void *arg, err_t err)
{
    (void)arg;
    bench_fail("a connection ended with error %d", err);
}

struct tcp_pcb *lw_connect(uint16_t port, void *arg, tcp_connected_fn connected)
{
    struct lw_end *end = &lw.client;
    struct tcp_pcb *pcb = end->call.tcp_new();
    ip_addr_t to = IPADDR4_INIT_BYTES(10, 0, 0, 1);
    err_t err = pcb ? ERR_OK : ERR_MEM;
    if (!err && port)
        err = end->call.tcp_bind(pcb, &lw_any, port);
    if (!err) {
        end->call.tcp_arg(pcb, arg);
        end->call.tcp_err(pcb, lw_error);
        err = end->call.tcp_connect(pcb, &to, LW_PORT, connected);
    }
    if (err)
        bench_fail("connect from port %u: %d", port, err);
    return pcb;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(const struct bench_args *args);
    } rows[] = {{"pingpong", lw_pingpong}, {"bulk", lw_bulk}, {"churn", lw_churn}, {"mem", lw_mem}};
    struct bench_args args;
    uint32_t i;
    bench_args_parse(&args, argc, argv, lw_usage);
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!strcmp(rows[i].name, args.row)) {
            lw_open();
            rows[i].run(&args);
            bench_note("packets", (double)(lw.client.packets + lw.server.packets));
            bench_report(&args);
            return 0;
        }
    }
    bench_fail("%s: no such row; --help lists them", args.row);
}
