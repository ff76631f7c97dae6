/* fake_plugin.c - a libiip_dpdk.so for the test of the loader; FAKE_ID is its build id, FAKE_SYMBOL its function. */
#include "plugin.h"

static const struct iip_port_core *core;

static int fake_open(const char *args, const struct iip_port_cfg *cfg, struct iip_port **out, char *err, size_t err_len)
{
    (void)args, (void)cfg, (void)out, (void)err, (void)err_len;
    return core->pkt_new && core->pkt_free ? IIP_E_LINK_DOWN : IIP_E_INVAL; /* two answers that the test can tell apart */
}

static const struct iip_port_ops ops = {.kind = "dpdk", .build_id = FAKE_ID, .open = fake_open};

__attribute__((visibility("default"))) const struct iip_port_ops *FAKE_SYMBOL(const struct iip_port_core *table);

const struct iip_port_ops *FAKE_SYMBOL(const struct iip_port_core *table)
{
    core = table;
    return &ops;
}
