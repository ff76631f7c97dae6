/* version.c - which library this is, and what it can do. */
#include <string.h>

#include "sdk.h"

/* Tunables and ports are features too, see below; these are what no table names. */
static const char *const iip_features[] = {
    "abi.layout",  "addr.ipv6",      "op.connect",   "op.listen",     "op.udp",
    "op.send_buf", "op.send_extern", "op.send_copy", "op.credit",     "op.timer",
    "op.urgent",   "engine.listen",  "loop.post",    "loop.fd",       "loop.park", "loop.net",
    "buf.spill",   "stats.counters", "log.ring",     "tcp.sack",      "tcp.timestamps",
    "tcp.wscale",  "tcp.newreno",    "tcp.cubic",    "tcp.keepalive", "tcp.user_timeout",
    "udp",         "ipv4",           "ipv6",
};

enum { IIP_FEATURES = sizeof iip_features / sizeof iip_features[0] };

uint32_t iip_abi_version(void)
{
    return (uint32_t)IIP_ABI_MAJOR << 16 | IIP_ABI_MINOR;
}

int32_t iip_abi_require(uint32_t major, uint32_t minor)
{
    return major == IIP_ABI_MAJOR && minor <= IIP_ABI_MINOR ? IIP_OK : IIP_E_ABI;
}

const char *iip_version(void)
{
    return IIP_VERSION;
}

const char *iip_engine_kind(uint32_t i)
{
    const struct iip_port_ops *ops = iip_port_kind(i);
    return ops ? ops->kind : NULL;
}

static int32_t iip_probe_kind(const char *kind)
{
    const char *name;
    uint32_t i;
    for (i = 0; (name = iip_engine_kind(i)) != NULL; i++)
        if (!strcmp(name, kind))
            return 1;
    return 0;
}

static int32_t iip_probe_tunable(const char *tunable)
{
    const char *name;
    uint32_t i;
    for (i = 0; (name = iip_stack_tunable(i)) != NULL; i++)
        if (!strcmp(name, tunable))
            return 1;
    return 0;
}

int32_t iip_probe(const char *feature)
{
    uint32_t i;
    if (!feature)
        return 0;
    if (!strncmp(feature, "port.", 5))
        return iip_probe_kind(feature + 5);
    if (!strncmp(feature, "tunable.", 8))
        return iip_probe_tunable(feature + 8);
    for (i = 0; i < IIP_FEATURES; i++)
        if (!strcmp(iip_features[i], feature))
            return 1;
    return 0;
}

const char *iip_feature_name(uint32_t i)
{
    return i < IIP_FEATURES ? iip_features[i] : NULL;
}
