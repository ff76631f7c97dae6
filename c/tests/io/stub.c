/* stub.c - a stack of one page, for tests of ports. */
#include "stub.h"

#include <stdlib.h>
#include <string.h>

struct iip_pkt *iip_pkt_new(struct iip_stack *stk, struct iip_frame *frame, iip_u8 *data, iip_u32 len)
{
    struct iip_pkt *pkt = stk->free;
    if (stk->fail_after && !--stk->fail_after)
        return NULL;
    if (pkt)
        stk->free = pkt->link;
    else
        pkt = malloc(sizeof(*pkt));
    if (!pkt)
        return NULL;
    memset(pkt, 0, sizeof(*pkt));
    pkt->frame = frame;
    pkt->data = data;
    pkt->len = len;
    pkt->total = len;
    frame->views++;
    stk->made++;
    return pkt;
}

void iip_pkt_free(struct iip_stack *stk, struct iip_pkt *pkt)
{
    while (pkt) {
        struct iip_pkt *next = pkt->next;
        if (--pkt->frame->views == 0)
            stk->host.frame_put(stk->host.ctx, pkt->frame);
        pkt->link = stk->free;
        stk->free = pkt;
        stk->freed++;
        pkt = next;
    }
}

void stack_init(struct iip_stack *stk, const struct iip_port_ops *ops, struct iip_port_queue *q)
{
    memset(stk, 0, sizeof(*stk));
    stk->host.ctx = q;
    stk->host.frame_get = ops->frame_get;
    stk->host.frame_put = ops->frame_put;
    stk->host.transmit = ops->tx;
}

void stack_end(struct iip_stack *stk)
{
    while (stk->free) {
        struct iip_pkt *pkt = stk->free;
        stk->free = pkt->link;
        free(pkt);
    }
}

int end_open(struct end *end, const char *name, const struct iip_port_cfg *cfg)
{
    static const struct iip_port_cfg none;
    int status;
    memset(end, 0, sizeof(*end));
    status = iip_port_open(name, cfg ? cfg : &none, &end->ops, &end->port, end->err, sizeof(end->err));
    if (status < 0)
        return status;
    end->ops->info(end->port, &end->info);
    end->q = end->ops->queue(end->port, 0);
    stack_init(&end->stk, end->ops, end->q);
    end->ops->attach(end->q, &end->stk);
    return status;
}

uint32_t end_close(struct end *end)
{
    uint32_t left = end->stk.made - end->stk.freed;
    if (end->port)
        end->ops->close(end->port);
    stack_end(&end->stk);
    end->port = NULL;
    return left;
}

struct iip_pkt *end_pkt(struct end *end, const void *bytes, uint32_t len)
{
    struct iip_pkt *head = NULL, **tail = &head;
    const uint8_t *from = bytes;
    uint32_t total = len;
    do {
        struct iip_frame *frame = end->ops->frame_get(end->q, 256);
        uint32_t part;
        if (!frame) {
            iip_pkt_free(&end->stk, head);
            return NULL;
        }
        part = len < frame->size - 128 ? len : frame->size - 128;
        *tail = iip_pkt_new(&end->stk, frame, frame->base + 128, part);
        memcpy((*tail)->data, from, part);
        tail = &(*tail)->next;
        from += part;
        len -= part;
    } while (len);
    head->total = total;
    return head;
}

uint32_t end_send(struct end *end, const void *bytes, uint32_t len)
{
    struct iip_pkt *pkt = end_pkt(end, bytes, len);
    uint32_t sent = pkt ? end->ops->tx(end->q, &pkt, 1) : 0;
    if (pkt && !sent)
        iip_pkt_free(&end->stk, pkt);
    return sent;
}

int end_recv(struct end *end, void *to, uint32_t cap, uint16_t *flags)
{
    struct iip_pkt *pkt, *view;
    uint32_t len = 0;
    if (!end->ops->rx(end->q, &pkt, 1) || !pkt)
        return -1;
    for (view = pkt; view; view = view->next) {
        if (len + view->len <= cap)
            memcpy((uint8_t *)to + len, view->data, view->len);
        len += view->len;
    }
    if (flags)
        *flags = pkt->flags;
    if (pkt->total != len)
        len = 0xfffffff; /* no test expects that */
    iip_pkt_free(&end->stk, pkt);
    return (int)len;
}

static uint32_t sum16(uint32_t sum, const uint8_t *p, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

uint32_t udp_frame(uint8_t *to, uint16_t src_port, uint16_t dst_port, uint32_t len, uint8_t fill)
{
    static const uint8_t head[] = {2, 0, 0, 0,    0, 2,  2,  0, 0, 0,  0, 1, 8, 0,  0x45, 0, 0,
                                   0, 0, 1, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0,    0, 2};
    uint8_t *ip = to + 14, *udp = to + 34;
    memcpy(to, head, sizeof(head));
    put16(ip + 2, 28 + len);
    put16(ip + 10, ~sum16(0, ip, 20) & 0xffff);
    put16(udp, src_port);
    put16(udp + 2, dst_port);
    put16(udp + 4, 8 + len);
    put16(udp + 6, 0);
    memset(udp + 8, fill, len);
    put16(udp + 6, ~sum16(sum16(17 + 8 + len, ip + 12, 8), udp, 8 + len) & 0xffff);
    return 42 + len;
}

int csum_right(const uint8_t *frame, uint32_t len)
{
    const uint8_t *ip = frame + 14;
    uint32_t l4, sum;
    if (len < 34)
        return 0;
    if (ip[0] == 0x45) {
        l4 = ((uint32_t)ip[2] << 8 | ip[3]) - 20;
        return len >= 34 + l4 && sum16(0, ip, 20) == 0xffff &&
            sum16(sum16(ip[9] + l4, ip + 12, 8), ip + 20, l4) == 0xffff;
    }
    l4 = (uint32_t)ip[4] << 8 | ip[5];
    sum = sum16(ip[6] + l4, ip + 8, 32);
    return len >= 54 + l4 && sum16(sum, ip + 40, l4) == 0xffff;
}
