/*
 * rss.c - receive side scaling: how the device spreads packets over the queues, told to the stacks so that an active
 * open can pick a port whose answers come to its own queue.
 *
 * The device's own key is kept where it has one. The indirection table is filled round robin with period 512, which
 * is what struct iip_share can hold, whatever the size of the device's. Where the device cannot hash TCP and UDP over
 * both families, nothing is shared, and the stacks steer in software.
 */
#include <string.h>

#include "dpdk.h"

#define RSS_NEED                                                                                                       \
    (RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP |                      \
     RTE_ETH_RSS_NONFRAG_IPV6_UDP)
#define RSS_LIKE (RSS_NEED | RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6)
#define RSS_TABLE 512U
#define RSS_GROUPS (RTE_ETH_RSS_RETA_SIZE_512 / RTE_ETH_RETA_GROUP_SIZE * 4U) /* tables up to 2,048 entries */

void dpdk_rss_wish(const struct rte_eth_dev_info *info, struct rte_eth_conf *conf)
{
    if ((info->flow_type_rss_offloads & RSS_NEED) != RSS_NEED)
        return;
    conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf->rx_adv_conf.rss_conf.rss_key = NULL; /* the device's own */
    conf->rx_adv_conf.rss_conf.rss_hf = info->flow_type_rss_offloads & RSS_LIKE;
}

/* Writes table[i & 511] to entry i of the device. */
static int table_write(struct iip_port *port, uint16_t size)
{
    struct rte_eth_rss_reta_entry64 reta[RSS_GROUPS];
    uint32_t i;

    memset(reta, 0, sizeof(reta));
    for (i = 0; i < size; i++) {
        reta[i / RTE_ETH_RETA_GROUP_SIZE].mask |= UINT64_C(1) << (i % RTE_ETH_RETA_GROUP_SIZE);
        reta[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] = port->share.table[i % RSS_TABLE];
    }
    return rte_eth_dev_rss_reta_update(port->port_id, reta, size);
}

void dpdk_rss_read(struct iip_port *port, const struct rte_eth_dev_info *info)
{
    struct iip_share *share = &port->share;
    struct rte_eth_rss_conf conf = {.rss_key = share->key,
                                    .rss_key_len = info->hash_key_size ? info->hash_key_size : 40};
    uint32_t i;

    memset(share, 0, sizeof(*share));
    port->has_share = 0;
    if (port->queues < 2 || (info->flow_type_rss_offloads & RSS_NEED) != RSS_NEED || info->reta_size == 0 ||
        (info->reta_size & (info->reta_size - 1U)) || info->reta_size > RSS_GROUPS * RTE_ETH_RETA_GROUP_SIZE ||
        conf.rss_key_len > sizeof(share->key))
        return;
    if (rte_eth_dev_rss_hash_conf_get(port->port_id, &conf) != 0 || (conf.rss_hf & RSS_NEED) != RSS_NEED)
        return;
    share->stacks = port->queues;
    share->key_len = conf.rss_key_len;
    share->table_len = RTE_MIN((uint32_t)info->reta_size, RSS_TABLE);
    for (i = 0; i < RSS_TABLE; i++)
        share->table[i] = (uint16_t)(i % share->table_len % port->queues);
    port->has_share = table_write(port, info->reta_size) == 0;
}
