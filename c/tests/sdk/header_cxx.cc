/* header_cxx.cc - <iip/iip.h> alone, as C++98 with every warning. */
#include <iip/iip.h>
#include <iip/iip.h>

typedef char sizes_are_right[sizeof(iip_event) == 64 && sizeof(iip_op) == 64 && sizeof(iip_addr) == 32 ? 1 : -1];

int main()
{
    return iip_abi_require(IIP_ABI_MAJOR, IIP_ABI_MINOR) == IIP_OK ? 0 : 1;
}
