/* cc.c - which congestion control a connection has. */
#include "tcp/tcp.h"

IIP_LOCAL const struct iip_tcp_cc *iip_tcp_cc_of(const struct iip_tcp_conn *conn)
{
    return conn->cc ? iip_tcp_cubic() : iip_tcp_newreno();
}
