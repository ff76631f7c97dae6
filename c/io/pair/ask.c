/* ask.c - what a port string asks of a pair, and what its second end may say. */
#include <string.h>

#include "../args.h"
#include "iip/status.h"
#include "pair.h"

static int iip_pair_arg(struct iip_args *a, struct iip_pair_ask *ask)
{
    int status = iip_args_cfg(a, &ask->cfg);
    if (status)
        return status;
    if (iip_args_is(a, "mtu"))
        return iip_args_u32(a, 576, 65535, &ask->mtu);
    if (iip_args_is(a, "csum"))
        return iip_args_switch(a, &ask->csum);
    if (iip_args_is(a, "tso"))
        return iip_args_switch(a, &ask->tso);
    if (iip_args_is(a, "l3"))
        return iip_args_switch(a, &ask->l3);
    if (iip_args_is(a, "mac"))
        return ask->has_mac = 1, iip_args_mac(a, ask->mac);
    return iip_args_unknown(a, "mtu, csum, tso, l3, mac, " IIP_ARGS_CFG);
}

int iip_pair_ask(struct iip_pair_ask *ask, const char *args, const struct iip_port_cfg *cfg, struct iip_port_err *err)
{
    struct iip_args a;
    int status;
    memset(ask, 0, sizeof(*ask));
    ask->cfg = *cfg;
    ask->csum = ask->tso = ask->l3 = -1;
    iip_args_init(&a, "pair", args, err);
    status = iip_args_name(&a, ask->name, sizeof(ask->name));
    while (status >= 0 && (status = iip_args_next(&a)) > 0)
        status = iip_pair_arg(&a, ask);
    if (status < 0)
        return status;
    if (ask->tso == 1 && ask->csum == 0)
        return iip_port_fail(err, IIP_E_INVAL, "pair:%s: tso=on needs csum=on", ask->name);
    return IIP_OK;
}

/* What the second end says must be what the first one said. */
int iip_pair_agree(const struct iip_pair_wire *wire, const struct iip_pair_ask *ask, struct iip_port_err *err)
{
    const struct {
        const char *key;
        int said, has;
    } all[] = {{"csum", ask->csum, wire->csum}, {"tso", ask->tso, wire->tso}, {"l3", ask->l3, wire->l3}};
    if (wire->closed)
        return iip_port_fail(err, IIP_E_BUSY,
                             "pair:%s: its other end was closed; close this end too, then open both anew", wire->name);
    if (wire->opened == 2)
        return iip_port_fail(err, IIP_E_BUSY, "pair:%s: both ends are open already; take another name", wire->name);
    if (ask->mtu && ask->mtu != wire->mtu)
        return iip_port_fail(err, IIP_E_INVAL, "pair:%s: mtu=%u, but the other end has mtu=%u; give both the same",
                             wire->name, ask->mtu, wire->mtu);
    for (uint32_t i = 0; i < 3; i++)
        if (all[i].said >= 0 && all[i].said != all[i].has)
            return iip_port_fail(err, IIP_E_INVAL, "pair:%s: %s=%s, but the other end has %s=%s; give both the same",
                                 wire->name, all[i].key, all[i].said ? "on" : "off", all[i].key,
                                 all[i].has ? "on" : "off");
    return IIP_OK;
}
