/* plugin.c - finds and loads libiip_dpdk, once. */
#include "plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "kinds.h"

#define IIP_PLUGIN_FILE "libiip_dpdk.so"

static const struct iip_port_core iip_plugin_core = {IIP_BUILD_ID, iip_pkt_new, iip_pkt_free};
static const struct iip_port_ops *iip_plugin_ops; /* set once, under the lock */
static pthread_mutex_t iip_plugin_lock = PTHREAD_MUTEX_INITIALIZER;

/* A file that is there but cannot be loaded ends the search: its error is the one to show. */
static void *iip_plugin_load(const char *path, int must_exist, int *found)
{
    if (must_exist && access(path, F_OK))
        return NULL;
    *found = 1;
    return dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
}

/* In the directory of the file that this function is in: libiip, or a program that contains it. */
static void *iip_plugin_beside(int *found)
{
    Dl_info info;
    char path[PATH_MAX];
    const char *slash;
    if (!dladdr((const void *)(uintptr_t)iip_plugin_dpdk, &info) || !info.dli_fname)
        return NULL;
    slash = strrchr(info.dli_fname, '/');
    if (!slash ||
        snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - info.dli_fname), info.dli_fname, IIP_PLUGIN_FILE) >=
            (int)sizeof(path))
        return NULL;
    return iip_plugin_load(path, 1, found);
}

static void *iip_plugin_on_path(int *found)
{
    const char *dirs = secure_getenv("IIP_PLUGIN_PATH");
    char path[PATH_MAX];
    while (dirs && *dirs && !*found) {
        size_t len = strcspn(dirs, ":");
        void *lib = NULL;
        if (len && snprintf(path, sizeof(path), "%.*s/%s", (int)len, dirs, IIP_PLUGIN_FILE) < (int)sizeof(path))
            lib = iip_plugin_load(path, 1, found);
        if (lib)
            return lib;
        dirs += len + (dirs[len] == ':');
    }
    return NULL;
}

static void *iip_plugin_search(int *found)
{
    void *lib = iip_plugin_beside(found);
    if (!lib && !*found)
        lib = iip_plugin_on_path(found);
    if (!lib && !*found) {
        int ignore = 0;
        lib = iip_plugin_load(IIP_PLUGIN_FILE, 0, &ignore);
    }
    return lib;
}

static int iip_plugin_missing(int found, struct iip_port_err *e)
{
    const char *why = dlerror();
    if (found)
        return iip_port_fail(e, IIP_E_NOT_SUPPORTED,
                             "dpdk: " IIP_PLUGIN_FILE " cannot be loaded: %s; install DPDK (Debian: apt-get install "
                             "dpdk) or rebuild the plug-in for the DPDK that is installed",
                             why ? why : "unknown reason");
    return iip_port_fail(
        e, IIP_E_NOT_SUPPORTED,
        "dpdk: the plug-in " IIP_PLUGIN_FILE " was found neither beside libiip, nor in IIP_PLUGIN_PATH, "
        "nor in the library path; build it (needs libdpdk-dev) or set IIP_PLUGIN_PATH to its directory");
}

static int iip_plugin_check(void *lib, const struct iip_port_ops **out, struct iip_port_err *e)
{
    void *symbol = dlsym(lib, IIP_DPDK_PLUGIN_SYMBOL);
    iip_plugin_fn plugin;
    const struct iip_port_ops *ops;
    if (!symbol)
        return iip_port_fail(e, IIP_E_ABI,
                             "dpdk: " IIP_PLUGIN_FILE " has no function " IIP_DPDK_PLUGIN_SYMBOL
                             ": it is another library; remove it from IIP_PLUGIN_PATH or rebuild it");
    memcpy(&plugin, &symbol, sizeof(plugin));
    ops = plugin(&iip_plugin_core);
    if (!ops->build_id || strcmp(ops->build_id, IIP_BUILD_ID) != 0)
        return iip_port_fail(e, IIP_E_ABI,
                             "dpdk: " IIP_PLUGIN_FILE " is of build %s, libiip of build %s: install both "
                             "from one build",
                             ops->build_id ? ops->build_id : "(none)", IIP_BUILD_ID);
    *out = ops;
    return IIP_OK;
}

const struct iip_port_ops *iip_plugin_dpdk(int *status, char *err, size_t err_len)
{
    struct iip_port_err e = {err, err_len};
    int found = 0;
    void *lib;
    *status = IIP_OK;
    pthread_mutex_lock(&iip_plugin_lock);
    if (!iip_plugin_ops) {
        lib = iip_plugin_search(&found);
        *status = lib ? iip_plugin_check(lib, &iip_plugin_ops, &e) : iip_plugin_missing(found, &e);
    }
    pthread_mutex_unlock(&iip_plugin_lock);
    return iip_plugin_ops;
}
