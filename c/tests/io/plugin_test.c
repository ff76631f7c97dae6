/* plugin_test.c - the loader of libiip_dpdk: found, missing, broken, of another build. argv[1]: where the fakes are. */
#include "plugin.h"

#include <dlfcn.h>
#include <unistd.h>

#include "check.h"

static const char *fakes;
static char err[400];

static int try(const char *dirs)
{
    struct iip_port_cfg cfg = {0};
    const struct iip_port_ops *ops;
    struct iip_port *port;
    char path[1000], *at = path;
    for (const char *s = dirs; s && *s; s += *s != 0) { /* a,b: fakes/a:fakes/b */
        size_t len = strcspn(s, ",");
        at += snprintf(at, sizeof(path) - (size_t)(at - path), "%s%s/%.*s", at > path ? ":" : "", fakes, (int)len, s);
        s += len;
    }
    if (dirs)
        setenv("IIP_PLUGIN_PATH", path, 1);
    else
        unsetenv("IIP_PLUGIN_PATH");
    err[0] = 0;
    return iip_port_open("dpdk:net_null0", &cfg, &ops, &port, err, sizeof(err));
}

static void expect(const char *dirs, int status, const char *part)
{
    CHECK_EQ(try(dirs), status);
    if (!CHECK(strstr(err, part) != NULL))
        printf("  %s\n", err);
}

static void says_where_it_looked(void)
{
    if (dlopen("libiip_dpdk.so", RTLD_LAZY)) {
        printf("one is installed here: nothing to see\n");
        return;
    }
    expect(NULL, IIP_E_NOT_SUPPORTED, "IIP_PLUGIN_PATH");
    expect("no-such-directory", IIP_E_NOT_SUPPORTED, "found neither");
    CHECK(!iip_port_kind(4));
}

static void refuses_another_build(void)
{
    expect("wrong-id", IIP_E_ABI, "is of build another-build, libiip of build " IIP_BUILD_ID);
    expect("wrong-symbol", IIP_E_ABI, "has no function iip_dpdk_plugin");
    expect("broken", IIP_E_NOT_SUPPORTED, "cannot be loaded");
    expect("no-such-directory,broken,good", IIP_E_NOT_SUPPORTED, "cannot be loaded"); /* the first one that is there */
}

static void loads_it_once(void)
{
    expect("no-such-directory,good", IIP_E_LINK_DOWN, "");
    CHECK(iip_port_kind(4) != NULL);
    CHECK_STR(iip_port_kind(4)->kind, "dpdk");
    CHECK(!iip_port_kind(5));
    expect("broken", IIP_E_LINK_DOWN, "");
}

static void lists_what_is_built_in(void)
{
    static const char *const kinds[] = {"tap", "pair", "sim", "pcap"};
    for (uint32_t i = 0; i < 4; i++)
        CHECK_STR(iip_port_kind(i)->kind, kinds[i]);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return CHECK_SKIPPED;
    fakes = argv[1];
    RUN(lists_what_is_built_in);
    RUN(says_where_it_looked);
    RUN(refuses_another_build);
    RUN(loads_it_once);
    return check_done();
}
