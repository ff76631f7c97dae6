/* other_layout.c - preloaded, it makes libiip look like one that lays out struct iip_event in another way. */
#include <iip/iip.h>

int32_t iip_layout_get(uint32_t i, struct iip_layout *out)
{
    if (i > 0)
        return IIP_E_NOT_FOUND;
    *out = (struct iip_layout){"iip_event", "user", 4, 4};
    return 0;
}
