/*
 * lwip_offload.c - checksum functions that do nothing. This program exports them, so lwIP's calls come here: 0 is "good"
 * where it checks, and a field that the device fills in where it sends.
 */
#include <lwip/inet_chksum.h>
#include <string.h>

u16_t inet_chksum(const void *data, u16_t len)
{
    (void)data;
    (void)len;
    return 0;
}

u16_t inet_chksum_pbuf(struct pbuf *p)
{
    (void)p;
    return 0;
}

u16_t ip_chksum_pseudo(struct pbuf *p, u8_t proto, u16_t len, const ip_addr_t *src, const ip_addr_t *dest)
{
    (void)p;
    (void)proto;
    (void)len;
    (void)src;
    (void)dest;
    return 0;
}

u16_t ip_chksum_pseudo_partial(struct pbuf *p, u8_t proto, u16_t len, u16_t part, const ip_addr_t *src,
                               const ip_addr_t *dest)
{
    (void)p;
    (void)proto;
    (void)len;
    (void)part;
    (void)src;
    (void)dest;
    return 0;
}

u16_t lwip_standard_chksum(const void *data, int len)
{
    (void)data;
    (void)len;
    return 0;
}

u16_t lwip_chksum_copy(void *to, const void *from, u16_t len)
{
    memcpy(to, from, len);
    return 0;
}
