/* Somebody else's program: the installed header, the installed library, one engine on an in-memory port. */
#include <stdio.h>
#include <string.h>

#include <iip/iip.h>

int main(void)
{
    struct iip_engine_cfg cfg;
    struct iip_engine *engine = NULL;
    char why[256] = "";
    int32_t status = iip_abi_require(IIP_ABI_MAJOR, IIP_ABI_MINOR);

    if (status) {
        printf("the library is of another version: %s\n", iip_status_name(status));
        return 1;
    }
    memset(&cfg, 0, sizeof cfg);
    cfg.size = sizeof cfg;
    cfg.port = "pair:consumer";
    cfg.addresses = "10.0.0.1/24 fd00::1/64";
    status = iip_engine_open(&cfg, &engine, why, sizeof why);
    printf("iip %s: pair:consumer opened: %s %s\n", iip_version(), iip_status_name(status), why);
    if (status)
        return 1;
    return iip_engine_close(engine, NULL) < 0 ? 1 : 0;
}
