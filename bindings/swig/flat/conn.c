/* conn.c - connections and UDP endpoints by their handles. */
#include <stdlib.h>

#include "flat.h"

int32_t flat_send(uint64_t conn, const void *bytes, uint32_t len)
{
    int32_t taken = iip_conn_send(conn, bytes, len);
    return flat_not_now(taken) ? 0 : taken;
}

int32_t flat_udp_send(uint64_t udp, const char *peer, const void *bytes, uint32_t len)
{
    struct iip_addr addr;
    int32_t status = peer ? iip_addr_parse(peer, &addr) : 0;
    if (status < 0)
        return flat_fail(status, peer);
    return iip_udp_send_to(udp, peer ? &addr : NULL, bytes, len);
}

int64_t flat_conn_get(uint64_t conn, uint32_t option)
{
    uint64_t value = 0;
    int32_t status = iip_conn_get(conn, option, &value);
    return status < 0 ? status : (int64_t)value;
}

struct iip_conn_info *flat_conn_info(uint64_t conn)
{
    struct iip_conn_info *info = calloc(1, sizeof *info);
    int32_t status = IIP_E_NOMEM;
    if (info) {
        info->size = sizeof *info;
        status = iip_conn_info_get(conn, info);
    }
    if (status >= 0)
        return info;
    flat_fail(status, NULL);
    free(info);
    return NULL;
}
