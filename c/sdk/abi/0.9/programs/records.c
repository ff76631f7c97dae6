/* records.c - layouts, numbers and names of 0.9, as this program was compiled, against those of the library. */
#include "world.h"

#define TYPE(t) {#t, NULL, 0, sizeof(struct t)},
#define FIELD(t, f) {#t, #f, offsetof(struct t, f), sizeof(((struct t *)NULL)->f)},
static const struct iip_layout fields[] = {
#include "fields.inc"
};

/* Structures that may grow; all others have the size that they had. */
static const char *const growing[] = {"iip_engine_cfg", "iip_engine_info", "iip_leaks",     "iip_turn",
                                      "iip_area",       "iip_conn_info",   "iip_loop_stats"};

static int grows(const char *type)
{
    for (size_t i = 0; i < sizeof growing / sizeof growing[0]; i++)
        if (strcmp(growing[i], type) == 0)
            return 1;
    return 0;
}

static int same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void layouts(void)
{
    struct iip_layout has;
    for (size_t k = 0; k < sizeof fields / sizeof fields[0]; k++) {
        const struct iip_layout *old = &fields[k];
        uint32_t i = 0;
        while (iip_layout_get(i, &has) == IIP_OK && !(same(has.type, old->type) && same(has.field, old->field)))
            i++;
        if (iip_layout_get(i, &has) != IIP_OK || has.offset != old->offset ||
            (has.size != old->size && (old->field || !grows(old->type) || has.size < old->size))) {
            printf("struct %s%s%s: was %u bytes at %u\n", old->type, old->field ? "." : "",
                   old->field ? old->field : "", old->size, old->offset);
            failures++;
        }
    }
    CHECK_EQ(iip_layout_get(UINT32_MAX, &has), IIP_E_NOT_FOUND);
}

#define STATUS(name, class_) {name, #name, class_}
static const struct {
    int32_t status;
    const char *name;
    uint32_t class_;
} statuses[] = {STATUS(IIP_OK, IIP_CLASS_OK),
                STATUS(IIP_E_AGAIN, IIP_CLASS_RETRY),
                STATUS(IIP_E_INVAL, IIP_CLASS_USAGE),
                STATUS(IIP_E_NOMEM, IIP_CLASS_RESOURCE),
                STATUS(IIP_E_NOBUFS, IIP_CLASS_RESOURCE),
                STATUS(IIP_E_ADDR_IN_USE, IIP_CLASS_USAGE),
                STATUS(IIP_E_ADDR_NOT_AVAIL, IIP_CLASS_USAGE),
                STATUS(IIP_E_UNREACHABLE, IIP_CLASS_CONNECTION),
                STATUS(IIP_E_NET_UNREACHABLE, IIP_CLASS_CONNECTION),
                STATUS(IIP_E_REFUSED, IIP_CLASS_CONNECTION),
                STATUS(IIP_E_RESET, IIP_CLASS_CONNECTION),
                STATUS(IIP_E_TIMEOUT, IIP_CLASS_CONNECTION),
                STATUS(IIP_E_ABORTED, IIP_CLASS_CONNECTION),
                STATUS(IIP_E_NOT_CONNECTED, IIP_CLASS_USAGE),
                STATUS(IIP_E_SHUTDOWN, IIP_CLASS_USAGE),
                STATUS(IIP_E_MSGSIZE, IIP_CLASS_USAGE),
                STATUS(IIP_E_NOT_FOUND, IIP_CLASS_USAGE),
                STATUS(IIP_E_RANGE, IIP_CLASS_USAGE),
                STATUS(IIP_E_NOT_SUPPORTED, IIP_CLASS_USAGE),
                STATUS(IIP_E_ACCESS, IIP_CLASS_USAGE),
                STATUS(IIP_E_BUSY, IIP_CLASS_RETRY),
                STATUS(IIP_E_STALE, IIP_CLASS_USAGE),
                STATUS(IIP_E_WRONG_THREAD, IIP_CLASS_USAGE),
                STATUS(IIP_E_FORKED, IIP_CLASS_USAGE),
                STATUS(IIP_E_UNKNOWN_FIELD, IIP_CLASS_USAGE),
                STATUS(IIP_E_ABI, IIP_CLASS_USAGE),
                STATUS(IIP_E_CLOSED, IIP_CLASS_CONNECTION),
                STATUS(IIP_E_IO, IIP_CLASS_LOOP),
                STATUS(IIP_E_NO_DEVICE, IIP_CLASS_USAGE),
                STATUS(IIP_E_EXISTS, IIP_CLASS_USAGE),
                STATUS(IIP_E_LINK_DOWN, IIP_CLASS_LOOP)};

static void numbers(void)
{
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        int32_t status = statuses[i].status;
        if (strcmp(iip_status_name(status), statuses[i].name) != 0) {
            printf("%d was %s, and is %s\n", status, statuses[i].name, iip_status_name(status));
            failures++;
        }
        CHECK_EQ(iip_status_class(status), statuses[i].class_);
        CHECK(iip_status_text(status)[0] != 0);
        CHECK(iip_status_errno(status) >= 0);
    }
}

static void version(void)
{
    CHECK_EQ(iip_abi_require(IIP_ABI_MAJOR, IIP_ABI_MINOR), IIP_OK);
    CHECK_EQ(iip_abi_require(IIP_ABI_MAJOR + 1, 0), IIP_E_ABI);
    CHECK_EQ(iip_abi_version() >> 16, IIP_ABI_MAJOR);
    CHECK((iip_abi_version() & 0xffff) >= IIP_ABI_MINOR);
    CHECK(iip_version()[0] != 0);
    CHECK_EQ(iip_probe("tcp.sack"), 1);
    CHECK_EQ(iip_probe("port.sim"), 1);
    CHECK_EQ(iip_probe("tunable.tcp.mss"), 1);
    CHECK_EQ(iip_probe("no.such"), 0);
    CHECK(iip_feature_name(0) && !iip_feature_name(UINT32_MAX));
    CHECK(iip_engine_kind(0) && !iip_engine_kind(UINT32_MAX));
    CHECK(iip_counter_name(0) && !iip_counter_name(UINT32_MAX));
}

static void addresses(void)
{
    struct iip_addr addr;
    char text[56];
    CHECK_EQ(iip_addr_parse("[fd00::1]:80", &addr), IIP_OK);
    CHECK(addr.port == 80 && addr.family == 6 && addr.ip[0] == 0xfd && addr.ip[15] == 1);
    CHECK_EQ(iip_addr_format(&addr, text, sizeof text), 12);
    CHECK(strcmp(text, "[fd00::1]:80") == 0);
    CHECK_EQ(iip_addr_parse("nonsense", &addr), IIP_E_INVAL);
}

int main(void)
{
    layouts();
    numbers();
    version();
    addresses();
    return done();
}
