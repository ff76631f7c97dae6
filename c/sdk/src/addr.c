/* addr.c - addresses as text, and as the core has them. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sdk.h"

enum { IIP_ADDR_TEXT = 56 };

void iip_addr_from(struct iip_addr *out, const struct iip_endpoint *in)
{
    memcpy(out->ip, in->ip.b, sizeof out->ip);
    out->port = in->port;
    out->family = in->family;
    out->scope = in->scope;
    out->reserved = 0;
}

void iip_addr_to(struct iip_endpoint *out, const struct iip_addr *in)
{
    memcpy(out->ip.b, in->ip, sizeof out->ip.b);
    out->port = in->port;
    out->family = in->family;
    out->scope = in->scope;
}

int32_t iip_addr_ip(const char *text, size_t len, struct iip_ip *out, uint32_t *family)
{
    char copy[INET6_ADDRSTRLEN];
    if (!len || len >= sizeof copy)
        return IIP_E_INVAL;
    memcpy(copy, text, len);
    copy[len] = 0;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, copy, out->b + 12) == 1) {
        out->b[10] = out->b[11] = 0xff;
        *family = 4;
        return IIP_OK;
    }
    if (inet_pton(AF_INET6, copy, out->b) != 1)
        return IIP_E_INVAL;
    *family = iip_ip_is_v4(out) ? 4 : 6;
    return IIP_OK;
}

static int32_t iip_addr_port(const char *text, uint16_t *port)
{
    char *end;
    unsigned long value;
    if (*text < '0' || *text > '9')
        return IIP_E_INVAL;
    value = strtoul(text, &end, 10);
    if (*end || value > 65535)
        return IIP_E_INVAL;
    *port = (uint16_t)value;
    return IIP_OK;
}

/* Where the address ends and the port begins: "[v6]:port", "v4:port", "*:port", ":port", or no port at all. */
static int32_t iip_addr_split(const char *text, const char **ip, size_t *ip_len, const char **port)
{
    const char *colon = strchr(text, ':');
    *port = NULL;
    *ip = text;
    *ip_len = strlen(text);
    if (*text == '[') {
        const char *close = strchr(text, ']');
        if (!close || (close[1] && close[1] != ':'))
            return IIP_E_INVAL;
        *ip = text + 1;
        *ip_len = (size_t)(close - text - 1);
        *port = close[1] ? close + 2 : NULL;
    } else if (colon && !strchr(colon + 1, ':')) {
        *ip_len = (size_t)(colon - text);
        *port = colon + 1;
    }
    return IIP_OK;
}

int32_t iip_addr_parse(const char *text, struct iip_addr *out)
{
    struct iip_ip parsed;
    const char *ip, *port;
    size_t ip_len;
    uint32_t family = 0;
    struct iip_addr addr;
    if (!text || !out || iip_addr_split(text, &ip, &ip_len, &port))
        return IIP_E_INVAL;
    memset(&addr, 0, sizeof addr);
    if (port && iip_addr_port(port, &addr.port))
        return IIP_E_INVAL;
    if (ip_len == 0 ? *text != ':' : !(ip_len == 1 && *ip == '*')) {
        if (iip_addr_ip(ip, ip_len, &parsed, &family))
            return IIP_E_INVAL;
        memcpy(addr.ip, parsed.b, sizeof addr.ip);
        addr.family = (uint16_t)family;
        /* "0.0.0.0" is any address of IPv4; as ::ffff:0.0.0.0 it would be an address like others. */
        if (family == 4 && !memcmp(parsed.b + 12, "\0\0\0\0", 4))
            memset(addr.ip, 0, sizeof addr.ip);
    }
    *out = addr;
    return IIP_OK;
}

static const char *iip_addr_text(const struct iip_addr *addr, char *out, socklen_t cap)
{
    static const uint8_t any[16];
    struct iip_ip ip;
    memcpy(ip.b, addr->ip, sizeof ip.b);
    if (iip_ip_is_v4(&ip))
        return inet_ntop(AF_INET, ip.b + 12, out, cap);
    if (memcmp(ip.b, any, sizeof any) == 0 && addr->family != 6)
        return addr->family == 4 ? "0.0.0.0" : "*";
    return inet_ntop(AF_INET6, ip.b, out, cap);
}

int32_t iip_addr_format(const struct iip_addr *addr, char *out, uint32_t cap)
{
    char buf[INET6_ADDRSTRLEN];
    char text[IIP_ADDR_TEXT];
    const char *ip;
    int n;
    if (!addr || !out)
        return IIP_E_INVAL;
    ip = iip_addr_text(addr, buf, sizeof buf);
    if (!addr->port)
        n = snprintf(text, sizeof text, "%s", ip);
    else
        n = snprintf(text, sizeof text, strchr(ip, ':') ? "[%s]:%u" : "%s:%u", ip, addr->port);
    if ((uint32_t)n >= cap)
        return IIP_E_RANGE;
    memcpy(out, text, (size_t)n + 1);
    return n;
}
