/* port.c - finds the kind of a port string and opens it. */
#include "port.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "error.h"
#include "kinds.h"

static const struct iip_port_ops *const iip_port_kinds[] = {&iip_tap_ops, &iip_pair_ops, &iip_sim_ops, &iip_pcap_ops};
enum { IIP_PORT_KINDS = sizeof(iip_port_kinds) / sizeof(iip_port_kinds[0]) };

uint64_t iip_port_clock_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void iip_port_mac_random(uint8_t mac[6])
{
    if (getrandom(mac, 6, GRND_NONBLOCK) != 6) {
        uint64_t now = iip_port_clock_us() * 0x9e3779b97f4a7c15ULL;
        memcpy(mac, (uint8_t *)&now + 2, 6);
    }
    mac[0] = (uint8_t)((mac[0] & 0xfc) | 2);
}

const struct iip_port_ops *iip_port_kind(uint32_t i)
{
    int status;
    if (i < IIP_PORT_KINDS)
        return iip_port_kinds[i];
    return i == IIP_PORT_KINDS ? iip_plugin_dpdk(&status, NULL, 0) : NULL;
}

static int iip_port_unknown(const char *name, size_t len, struct iip_port_err *e)
{
    if (len == 3 && memcmp(name, "xdp", 3) == 0)
        return iip_port_fail(e, IIP_E_NOT_SUPPORTED,
                             "%s: this build has no AF_XDP port; for the same device use "
                             "dpdk:net_af_xdp0,iface=%s or dpdk:net_af_packet0,iface=%s",
                             name, name[3] ? name + 4 : "eth0", name[3] ? name + 4 : "eth0");
    return iip_port_fail(e, IIP_E_NO_DEVICE,
                         "%s: '%.*s' is no kind of port; a port is named kind:name,key=value with kind one of "
                         "tap, pair, sim, pcap, dpdk (as tap:iip0)",
                         name, (int)(len < 64 ? len : 64), name);
}

static const struct iip_port_ops *iip_port_find(const char *name, size_t len, int *status, struct iip_port_err *e)
{
    for (uint32_t i = 0; i < IIP_PORT_KINDS; i++)
        if (strlen(iip_port_kinds[i]->kind) == len && memcmp(iip_port_kinds[i]->kind, name, len) == 0)
            return iip_port_kinds[i];
    if (len == 4 && memcmp(name, "dpdk", 4) == 0)
        return iip_plugin_dpdk(status, e->text, e->len);
    *status = iip_port_unknown(name, len, e);
    return NULL;
}

int iip_port_open(const char *name, const struct iip_port_cfg *cfg, const struct iip_port_ops **ops,
                  struct iip_port **out, char *err, size_t err_len)
{
    struct iip_port_err e = {err, err_len};
    const struct iip_port_ops *kind;
    int status = IIP_OK;
    size_t len;
    *out = NULL;
    *ops = NULL;
    if (err && err_len)
        err[0] = 0;
    if (!name || !*name)
        return iip_port_fail(&e, IIP_E_INVAL, "no port is named; name one as tap:iip0 or pair:a");
    len = strcspn(name, ":");
    kind = iip_port_find(name, len, &status, &e);
    if (!kind)
        return status;
    status = kind->open(name[len] ? name + len + 1 : "", cfg, out, err, err_len);
    if (status < 0)
        return status;
    *ops = kind;
    if (!cfg->pcap)
        return IIP_OK;
    status = iip_record_open(kind, *out, cfg->pcap, ops, out, err, err_len);
    if (status < 0) {
        kind->close(*out);
        *out = NULL;
        *ops = NULL;
    }
    return status;
}
