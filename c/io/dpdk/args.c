/*
 * args.c - takes a port string apart: [eal=[ARGUMENTS],]DEVICE[,key=value...].
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "dpdk.h"

/* "0000:3b:00.0" or "3b:00.0" */
static int looks_like_pci(const char *s)
{
    int colons = 0, dots = 0;

    for (; *s; s++) {
        colons += *s == ':';
        dots += *s == '.';
        if (!isxdigit((unsigned char)*s) && *s != ':' && *s != '.')
            return 0;
    }
    return colons >= 1 && colons <= 2 && dots == 1;
}

/* Cuts eal=[...] off the front; *rest is what follows. */
static int take_eal(char *text, struct dpdk_args *out, char **rest, char *err, size_t err_len)
{
    char *end;

    *rest = text;
    if (strncmp(text, "eal=", 4) != 0)
        return 0;
    end = text[4] == '[' ? strchr(text, ']') : NULL;
    if (!end)
        return dpdk_fail(IIP_E_INVAL, err, err_len, "dpdk:%s: EAL arguments stand in brackets: dpdk:eal=[-m 512],DEVICE", text);
    out->eal = text + 5;
    *end++ = '\0';
    *rest = *end == ',' ? end + 1 : end;
    return 0;
}

int dpdk_args_parse(const char *text, struct dpdk_args *out, char *err, size_t err_len)
{
    char *comma;
    int rc;

    memset(out, 0, sizeof(*out));
    out->text = strdup(text ? text : "");
    if (!out->text)
        return dpdk_fail(IIP_E_NOMEM, err, err_len, "dpdk: out of memory");
    rc = take_eal(out->text, out, &out->device, err, err_len);
    if (rc < 0)
        goto failed;
    comma = strchr(out->device, ',');
    out->devargs = comma ? comma + 1 : out->device + strlen(out->device);
    if (comma)
        *comma = '\0';
    if (out->device[0] == '\0') {
        rc = dpdk_fail(IIP_E_INVAL, err, err_len,
                       "dpdk:%s: no device is named: give a PCI address (dpdk:0000:3b:00.0) or a virtual device with its "
                       "arguments (dpdk:net_af_packet0,iface=veth0)", text ? text : "");
        goto failed;
    }
    out->is_pci = looks_like_pci(out->device);
    return 0;
failed:
    dpdk_args_free(out);
    return rc;
}

void dpdk_args_free(struct dpdk_args *args)
{
    free(args->text);
    memset(args, 0, sizeof(*args));
}

int dpdk_args_get(const char *devargs, const char *key, char *out, size_t out_len)
{
    size_t key_len = strlen(key), n;
    const char *s = devargs;

    while (*s) {
        n = strcspn(s, ",");
        if (n > key_len && s[key_len] == '=' && strncmp(s, key, key_len) == 0) {
            n -= key_len + 1;
            if (n >= out_len)
                n = out_len - 1;
            memcpy(out, s + key_len + 1, n);
            out[n] = '\0';
            return 1;
        }
        s += n;
        s += *s == ',';
    }
    return 0;
}
