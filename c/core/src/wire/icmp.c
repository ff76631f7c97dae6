#include "wire/icmp.h"

IIP_LOCAL void iip_icmp_retype(iip_u8 *p, iip_u32 type)
{
    iip_u32 sum = (~iip_get16(p + 2) & 0xffff) + (~((iip_u32)p[0] << 8) & 0xffff) + (type << 8);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    p[0] = (iip_u8)type;
    iip_put16(p + 2, ~sum & 0xffff);
}
