/* config.c - reads what iip_engine_open is given: sizes and defaults, addresses, routes, tunables, neighbours. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "error.h"
#include "sdk.h"

enum { IIP_CONFIG_WORD = 128 };

struct iip_config_err {
    char *text;
    uint32_t cap;
};

void iip_config_say(char *error, uint32_t cap, const char *format, ...)
{
    va_list args;
    if (!error || !cap)
        return;
    va_start(args, format);
    iip_text_fit(error, cap, format, args);
    va_end(args);
}

/* ---- numbers ---- */

static int32_t iip_config_range(const char *name, uint32_t *value, uint32_t usual, uint32_t low, uint32_t high,
                                const struct iip_config_err *err)
{
    if (!*value)
        *value = usual;
    if (*value >= low && *value <= high)
        return IIP_OK;
    iip_config_say(err->text, err->cap, "%s=%u: must be %u to %u", name, *value, low, high);
    return IIP_E_RANGE;
}

static int32_t iip_config_random(struct iip_engine_cfg *cfg, const struct iip_config_err *err)
{
    static const uint8_t none[sizeof cfg->key];
    ssize_t got = sizeof cfg->key;
    if (!memcmp(cfg->key, none, sizeof none))
        got = getrandom(cfg->key, sizeof cfg->key, 0);
    if (got == sizeof cfg->key && !cfg->seed)
        got = getrandom(&cfg->seed, sizeof cfg->seed, 0) == sizeof cfg->seed ? got : -1;
    if (got == sizeof cfg->key)
        return IIP_OK;
    iip_config_say(err->text, err->cap, "the system gave no random bytes: set key and seed");
    return IIP_E_IO;
}

static int32_t iip_config_numbers(struct iip_engine_cfg *cfg, const struct iip_config_err *err)
{
    uint32_t post = 2;
    if (cfg->flags || cfg->cores > IIP_CORES_MERGE) {
        iip_config_say(err->text, err->cap,
                       cfg->flags ? "flags=%u: must be 0" : "cores=%u: IIP_CORES_UNIFIED (0), _SPLIT (1) or _MERGE (2)",
                       cfg->flags ? cfg->flags : cfg->cores);
        return cfg->flags ? IIP_E_INVAL : IIP_E_NOT_SUPPORTED;
    }
    if (iip_config_range("loops", &cfg->loops, 1, 1, IIP_LOOPS_MAX, err) ||
        (cfg->frames && iip_config_range("frames", &cfg->frames, 0, IIP_FRAMES_MIN, 1 << 22, err)) ||
        iip_config_range("op_cap", &cfg->op_cap, 256, 1, 1 << 16, err) ||
        iip_config_range("release_cap", &cfg->release_cap, 1024, 1, 1 << 20, err) ||
        iip_config_range("event_cap", &cfg->event_cap, 512, 1, 1 << 20, err) ||
        iip_config_range("tx_free_cap", &cfg->tx_free_cap, 64, 1, 1 << 16, err) ||
        iip_config_range("post_cap", &cfg->post_cap, 1024, 2, 1 << 16, err) ||
        iip_config_range("poll_us", &cfg->poll_us, 100, 1, 1000000, err) ||
        iip_config_range("log_level", &cfg->log_level, IIP_LOG_WARN, IIP_LOG_ERROR, IIP_LOG_DEBUG, err))
        return IIP_E_RANGE;
    if (!cfg->spill_bytes)
        cfg->spill_bytes = 4 << 20;
    while (post < cfg->post_cap)
        post *= 2;
    cfg->post_cap = post;
    return iip_config_random(cfg, err);
}

int32_t iip_config_read(const struct iip_engine_cfg *in, struct iip_engine_cfg *out, char *error, uint32_t cap)
{
    struct iip_config_err err = {error, cap};
    int32_t st = iip_size_in(out, sizeof *out, in);
    if (st) {
        iip_config_say(error, cap, "size=%u: %s", in->size, iip_status_text(st));
        return st;
    }
    if (!out->port) {
        iip_config_say(error, cap, "port: needed, as in \"tap:iip0\" or \"pair:a\"");
        return IIP_E_INVAL;
    }
    return iip_config_numbers(out, &err);
}

/* ---- words ---- */

/* The next word up to one of `ends`; 0: there is none, -1: it is too long. */
static int iip_config_word(const char **at, const char *ends, char *word)
{
    size_t n;
    *at += strspn(*at, ends);
    while (**at == ' ')
        (*at)++;
    n = strcspn(*at, ends);
    if (n >= IIP_CONFIG_WORD)
        return -1;
    memcpy(word, *at, n);
    word[n] = 0;
    *at += n;
    while (n && word[n - 1] == ' ')
        word[--n] = 0;
    return n != 0;
}

/* "10.0.0.1/24": an address with the length of its prefix; without one, all of it. */
static int32_t iip_config_prefix(const char *word, struct iip_ip *ip, uint32_t *prefix)
{
    const char *slash = strchr(word, '/');
    uint32_t family;
    unsigned long len;
    char *end;
    if (iip_addr_ip(word, slash ? (size_t)(slash - word) : strlen(word), ip, &family))
        return IIP_E_INVAL;
    *prefix = family == 4 ? 32 : 128;
    if (!slash)
        return IIP_OK;
    len = strtoul(slash + 1, &end, 10);
    if (end == slash + 1 || *end || len > *prefix)
        return IIP_E_INVAL;
    *prefix = (uint32_t)len;
    return IIP_OK;
}

static int32_t iip_config_refuse(const struct iip_config_err *err, const char *what, const char *word, int32_t st,
                                 const char *remedy)
{
    iip_config_say(err->text, err->cap, "%s \"%s\": %s; %s", what, word, iip_status_text(st), remedy);
    return st;
}

static int32_t iip_config_address(struct iip_stack *stk, const char *word)
{
    struct iip_ip ip;
    uint32_t prefix;
    int32_t st = iip_config_prefix(word, &ip, &prefix);
    return st ? st : iip_stack_addr_add(stk, &ip, prefix);
}

static int32_t iip_config_route(struct iip_stack *stk, const char *word)
{
    const char *via = strstr(word, " via ");
    char dst[IIP_CONFIG_WORD];
    struct iip_ip ip, gateway;
    uint32_t family, prefix;
    size_t n = via ? (size_t)(via - word) : strlen(word);
    memcpy(dst, word, n);
    dst[n] = 0;
    if (via && iip_addr_ip(via + 5, strlen(via + 5), &gateway, &family))
        return IIP_E_INVAL;
    if (strcmp(dst, "default") != 0) {
        int32_t st = iip_config_prefix(dst, &ip, &prefix);
        return st ? st : iip_stack_route_add(stk, &ip, prefix, via ? &gateway : NULL);
    }
    if (!via)
        return IIP_E_INVAL;
    memset(&ip, 0, sizeof ip);
    if (family == 4)
        iip_ip_v4(&ip, 0, 0, 0, 0);
    return iip_stack_route_add(stk, &ip, 0, &gateway);
}

static int32_t iip_config_tunable(struct iip_stack *stk, const char *word)
{
    char name[IIP_CONFIG_WORD];
    const char *is = strchr(word, '=');
    unsigned long long value;
    char *end;
    if (!is || is[1] < '0' || is[1] > '9')
        return IIP_E_INVAL;
    value = strtoull(is + 1, &end, 0);
    if (*end)
        return IIP_E_INVAL;
    memcpy(name, word, (size_t)(is - word));
    name[is - word] = 0;
    return iip_stack_set(stk, name, value);
}

static int32_t iip_config_neighbour(struct iip_stack *stk, const char *word)
{
    const char *is = strchr(word, '=');
    unsigned int mac[6];
    iip_u8 bytes[6];
    struct iip_ip ip;
    uint32_t family, i;
    int n = 0;
    if (!is || iip_addr_ip(word, (size_t)(is - word), &ip, &family))
        return IIP_E_INVAL;
    if (sscanf(is + 1, "%2x:%2x:%2x:%2x:%2x:%2x%n", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5], &n) != 6 ||
        is[1 + n])
        return IIP_E_INVAL;
    for (i = 0; i < 6; i++)
        bytes[i] = (iip_u8)mac[i];
    return iip_stack_neigh_add(stk, &ip, bytes);
}

/* One kind of list: how its words end, what each does, and what to say when one cannot. */
struct iip_config_list {
    const char *what, *ends, *remedy;
    int32_t (*apply)(struct iip_stack *stk, const char *word);
};

static int32_t iip_config_each(const struct iip_config_list *list, const char *text, struct iip_stack *stk,
                               const struct iip_config_err *err)
{
    char word[IIP_CONFIG_WORD];
    int more;
    while (text && (more = iip_config_word(&text, list->ends, word)) != 0) {
        int32_t st = more < 0 ? IIP_E_INVAL : list->apply(stk, word);
        if (st)
            return iip_config_refuse(err, list->what, more < 0 ? text : word, st, list->remedy);
    }
    return IIP_OK;
}

/* ---- gateways: whoever is on no network of ours would be asked for on the wire for ever ---- */

static int iip_config_same(const struct iip_ip *a, const struct iip_ip *b, uint32_t bits)
{
    uint32_t bytes = bits / 8, rest = bits % 8;
    return !memcmp(a->b, b->b, bytes) && (!rest || !((a->b[bytes] ^ b->b[bytes]) >> (8 - rest)));
}

/* Whether a network of the list (of addresses, or of routes, where one without a gateway is such) has the address. */
static int iip_config_covers(const char *text, const char *ends, const struct iip_ip *ip, int own)
{
    static const struct iip_ip mapped = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}};
    char word[IIP_CONFIG_WORD];
    struct iip_ip net;
    uint32_t prefix;
    while (text && iip_config_word(&text, ends, word) > 0) {
        uint32_t v4;
        if (iip_config_prefix(word, &net, &prefix))
            continue;
        v4 = iip_config_same(&net, &mapped, 96);
        if (v4 == (uint32_t)iip_config_same(ip, &mapped, 96) && iip_config_same(&net, ip, own ? 128 : prefix + 96 * v4))
            return 1;
    }
    return 0;
}

static int32_t iip_config_gateway(const struct iip_engine_cfg *cfg, const char *word, int l3,
                                  const struct iip_config_err *err)
{
    static const struct iip_ip link_local = {{0xfe, 0x80}};
    const char *via = strstr(word, " via "), *wrong = NULL;
    struct iip_ip gateway;
    uint32_t family;
    if (!via || iip_addr_ip(via + 5, strlen(via + 5), &gateway, &family))
        return IIP_OK;
    if (iip_config_covers(cfg->addresses, " ,", &gateway, 1))
        wrong = "the gateway is an address of our own; name the router's";
    else if (!l3 && !iip_config_same(&gateway, &link_local, 10) &&
             !iip_config_covers(cfg->addresses, " ,", &gateway, 0) && !iip_config_covers(cfg->routes, ",", &gateway, 0))
        wrong = "the gateway is on no network of ours; give an address with the prefix length of its network, or the "
                "gateway itself as a route without \"via\"";
    if (wrong)
        iip_config_say(err->text, err->cap, "route \"%s\": %s", word, wrong);
    return wrong ? IIP_E_INVAL : IIP_OK;
}

static int32_t iip_config_gateways(const struct iip_engine_cfg *cfg, int l3, const struct iip_config_err *err)
{
    const char *text = cfg->routes;
    char word[IIP_CONFIG_WORD];
    while (text && iip_config_word(&text, ",", word) > 0) {
        int32_t st = iip_config_gateway(cfg, word, l3, err);
        if (st)
            return st;
    }
    return IIP_OK;
}

/* Tunables first: some of them shape what addresses and routes make. */
int32_t iip_config_apply(const struct iip_engine_cfg *cfg, struct iip_stack *stk, int l3, char *error, uint32_t cap)
{
    static const struct iip_config_list tunables =
        {"tunable", " ,", "write name=number; docs/reference/tunables.md lists names and ranges", iip_config_tunable};
    static const struct iip_config_list addresses = {"address", " ,", "write 10.0.0.1/24 or fd00::1/64",
                                                     iip_config_address};
    static const struct iip_config_list routes = {"route", ",",
                                                  "write \"default via 10.0.0.254\" or \"10.9.0.0/16 via 10.0.0.7\"",
                                                  iip_config_route};
    static const struct iip_config_list neighbours = {"neighbour", " ,", "write 10.0.0.9=02:00:00:00:00:09",
                                                      iip_config_neighbour};
    struct iip_config_err err = {error, cap};
    int32_t st = iip_config_each(&tunables, cfg->tunables, stk, &err);
    if (!st)
        st = iip_config_each(&addresses, cfg->addresses, stk, &err);
    if (!st)
        st = iip_config_each(&routes, cfg->routes, stk, &err);
    if (!st)
        st = iip_config_gateways(cfg, l3, &err);
    return st ? st : iip_config_each(&neighbours, cfg->neighbours, stk, &err);
}
