/* kinds.h - the kinds of ports that are compiled in, and what they share. */
#ifndef IIP_IO_KINDS_H
#define IIP_IO_KINDS_H

#include "port.h"

extern const struct iip_port_ops iip_tap_ops, iip_pair_ops, iip_sim_ops, iip_pcap_ops;

/* Puts a recorder (cfg.pcap) in front of an open port; on failure the port is the caller's still. */
int iip_record_open(const struct iip_port_ops *inner_ops, struct iip_port *inner, const char *path,
                    const struct iip_port_ops **ops, struct iip_port **out, char *err, size_t err_len);
/* libiip_dpdk, loaded once; null with the reason in err. *status says why. */
const struct iip_port_ops *iip_plugin_dpdk(int *status, char *err, size_t err_len);

/* Microseconds of CLOCK_MONOTONIC. */
uint64_t iip_port_clock_us(void);
/* An Ethernet address that nobody else has: random, unicast, locally administered. */
void iip_port_mac_random(uint8_t mac[6]);

#endif
