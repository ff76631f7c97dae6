/* header_c.c - <iip/iip.h> alone, as C11 with every warning. */
#include <iip/iip.h>
#include <iip/iip.h>

_Static_assert(sizeof(struct iip_event) == 64 && sizeof(struct iip_op) == 64 && sizeof(struct iip_addr) == 32, "sizes");

int main(void)
{
    return iip_abi_require(IIP_ABI_MAJOR, IIP_ABI_MINOR) == IIP_OK ? 0 : 1;
}
