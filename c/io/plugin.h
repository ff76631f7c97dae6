/*
 * plugin.h - how libiip loads a port that lives in a shared object of its own (libiip_dpdk.so).
 *
 * The shared object exports one function. libiip finds it with dlsym, gives it the few functions of the core that a
 * port calls, and gets the port's functions. A plug-in has no undefined symbol of libiip, so it neither needs it at
 * link time nor takes part in its symbol versions.
 *
 * The interface is private: both sides are built from the same sources. The loader compares ops->build_id with its
 * own before it reads or calls anything else, and refuses a plug-in of another build with IIP_E_ABI, naming both ids.
 */
#ifndef IIP_PLUGIN_H
#define IIP_PLUGIN_H

#include "port.h"

/* The build system gives the same string to libiip and to its plug-ins. */
#ifndef IIP_BUILD_ID
#define IIP_BUILD_ID "unversioned"
#endif

struct iip_port_core { /* static storage of the loader; lives as long as the process */
    const char *build_id;
    struct iip_pkt *(*pkt_new)(struct iip_stack *stk, struct iip_frame *frame, iip_u8 *data, iip_u32 len);
    void (*pkt_free)(struct iip_stack *stk, struct iip_pkt *pkt);
};

/* Keeps `core` and returns the port's functions; never null. A second call with the same table is fine. */
typedef const struct iip_port_ops *(*iip_plugin_fn)(const struct iip_port_core *core);

#define IIP_DPDK_PLUGIN_SYMBOL "iip_dpdk_plugin"
const struct iip_port_ops *iip_dpdk_plugin(const struct iip_port_core *core);

#endif
