/* queue.c - the data path of an end of a simulated wire. */
#include <string.h>
#include <sys/timerfd.h>

#include "../kinds.h"
#include "../wire.h"
#include "sim.h"

enum { IIP_SIM_STUCK_US = 1000 }; /* how often a parked end without frames looks whether there are some */

uint64_t iip_sim_now(struct iip_port_queue *queue)
{
    struct iip_sim_wire *wire = ((struct iip_sim_end *)queue)->wire;
    return wire->is_virtual ? atomic_load(&wire->now_us) : iip_port_clock_us();
}

static struct iip_sim_end *iip_sim_peer(const struct iip_sim_end *end)
{
    return end->wire->end[!end->side];
}

/* Sets the timer to a time of the wire's clock; 0 is off, 1 is now. */
static void iip_sim_timer(struct iip_sim_end *end, uint64_t at_us)
{
    struct itimerspec ts;
    memset(&ts, 0, sizeof(ts));
    if (at_us && end->wire->is_virtual)
        at_us = at_us <= atomic_load(&end->wire->now_us);
    if (at_us == end->armed_us)
        return;
    end->armed_us = at_us;
    ts.it_value.tv_sec = (time_t)(at_us / 1000000);
    ts.it_value.tv_nsec = (long)(at_us % 1000000 * 1000);
    timerfd_settime(end->fd, TFD_TIMER_ABSTIME, &ts, NULL);
}

void iip_sim_arm(struct iip_sim_end *end)
{
    struct iip_sim_end *peer = iip_sim_peer(end);
    const struct iip_sim_node *first = peer ? iip_sim_lane_first(&peer->lane) : NULL;
    if (!end->waiting)
        return;
    if (end->refused && !end->lane.blocked)
        iip_sim_timer(end, 1);
    else if (end->stuck && !end->wire->is_virtual)
        iip_sim_timer(end, iip_port_clock_us() + IIP_SIM_STUCK_US);
    else
        iip_sim_timer(end, first ? first->at_us : 0);
}

int iip_sim_fd(struct iip_port_queue *queue)
{
    struct iip_sim_end *end = (struct iip_sim_end *)queue;
    pthread_mutex_lock(&end->wire->lock);
    end->waiting = 1;
    iip_sim_arm(end);
    pthread_mutex_unlock(&end->wire->lock);
    return end->fd;
}

/* One packet in as many frames as it takes; null when there are not enough, or no memory for views. */
static struct iip_pkt *iip_sim_packet(struct iip_sim_end *end, const struct iip_sim_node *node)
{
    struct iip_pkt *head = NULL, **tail = &head;
    uint32_t at = 0;
    do {
        struct iip_frame *frame = iip_pool_get(&end->pool);
        uint32_t room = end->pool.frame_size - IIP_POOL_HEADROOM, part = node->len - at < room ? node->len - at : room;
        if (frame)
            *tail = iip_pkt_new(end->stk, frame, frame->base + IIP_POOL_HEADROOM, part);
        if (!frame || !*tail) {
            if (frame)
                iip_pool_put(&end->pool, frame);
            iip_pkt_free(end->stk, head);
            return NULL;
        }
        memcpy((*tail)->data, node->bytes + at, part);
        tail = &(*tail)->next;
        at += part;
    } while (at < node->len);
    head->total = node->len;
    head->flags = node->flags;
    return head;
}

/* The sender was refused: it may come again now that half of what was under way has arrived. */
static void iip_sim_unblock(struct iip_sim_end *sender)
{
    if (!sender->lane.blocked || sender->lane.count > IIP_SIM_FLIGHT / 2)
        return;
    sender->lane.blocked = 0;
    iip_sim_arm(sender);
}

uint32_t iip_sim_rx(struct iip_port_queue *queue, struct iip_pkt **pkts, uint32_t n)
{
    struct iip_sim_end *end = (struct iip_sim_end *)queue, *peer;
    uint64_t now = iip_sim_now(queue);
    uint32_t got = 0;
    if (!end->stk)
        return 0;
    pthread_mutex_lock(&end->wire->lock);
    peer = iip_sim_peer(end);
    end->stuck = 0;
    end->waiting = 0;
    while (peer && got < n) {
        const struct iip_sim_node *first = iip_sim_lane_first(&peer->lane);
        if (!first || first->at_us > now)
            break;
        pkts[got] = iip_sim_packet(end, first);
        if (!pkts[got]) {
            end->stuck = 1;
            break;
        }
        end->stats.rx_packets++;
        end->stats.rx_bytes += first->len;
        iip_sim_lane_pop(&peer->lane);
        got++;
    }
    if (peer)
        iip_sim_unblock(peer);
    pthread_mutex_unlock(&end->wire->lock);
    return got;
}

uint32_t iip_sim_tx(void *queue, struct iip_pkt **pkts, uint32_t n)
{
    struct iip_sim_end *end = queue, *peer;
    struct iip_sim_account *acc = &end->lane.account;
    uint64_t now = iip_sim_now(queue);
    uint32_t sent;
    pthread_mutex_lock(&end->wire->lock);
    peer = iip_sim_peer(end);
    for (sent = 0; peer && sent < n; sent++)
        if (!iip_sim_lane_send(&end->lane, end->wire, pkts[sent], now))
            break;
    if (sent)
        iip_sim_arm(peer);
    end->refused = sent < n;
    end->lane.blocked = end->refused;
    end->stats.tx_packets = acc->sent;
    end->stats.tx_bytes = acc->sent_bytes;
    end->stats.tx_refused += n - sent;
    end->stats.wire_lost = acc->lost;
    end->stats.wire_duplicated = acc->duplicated;
    pthread_mutex_unlock(&end->wire->lock);
    for (uint32_t i = 0; i < sent; i++)
        iip_pkt_free(end->stk, pkts[i]);
    return sent;
}
