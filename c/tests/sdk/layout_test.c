/*
 * layout_test.c - the table of offsets against the compiler, and against the rule that public structures have no holes:
 * then the rows of a structure, in order, touch each other, and a forgotten field is a gap.
 */
#include "check.h"
#include "iip/iip.h"

static uint32_t find(const char *type, const char *field, struct iip_layout *out)
{
    uint32_t i;
    for (i = 0; iip_layout_get(i, out) == IIP_OK; i++)
        if (!strcmp(out->type, type) && (field ? out->field && !strcmp(out->field, field) : !out->field))
            return 1;
    return 0;
}

static void rows_touch_each_other(void)
{
    struct iip_layout row;
    uint32_t end = 0, size = 0, types = 0, i;
    for (i = 0; iip_layout_get(i, &row) == IIP_OK; i++) {
        if (!row.field) {
            CHECK_EQ(end, size); /* of the structure before */
            types++;
            size = row.size;
            end = 0;
            continue;
        }
        CHECK_EQ(row.offset, end);
        end = row.offset + row.size;
    }
    CHECK_EQ(end, size);
    CHECK_EQ(types, 15);
}

#define SAME(t, f)                                         \
    do {                                                   \
        struct iip_layout row;                             \
        CHECK(find(#t, #f, &row));                         \
        CHECK_EQ(row.offset, offsetof(struct t, f));       \
        CHECK_EQ(row.size, sizeof(((struct t *)NULL)->f)); \
    } while (0)

static void rows_say_what_this_compiler_says(void)
{
    struct iip_layout row;
    SAME(iip_event, user);
    SAME(iip_event, value);
    SAME(iip_op, status);
    SAME(iip_turn, deadline_us);
    SAME(iip_addr, scope);
    SAME(iip_engine_cfg, key);
    SAME(iip_area, op_aux_bytes);
    SAME(iip_conn_info, bytes_out);
    CHECK(find("iip_event", NULL, &row) && row.size == 64);
    CHECK(find("iip_op", NULL, &row) && row.size == 64);
    CHECK(find("iip_addr", NULL, &row) && row.size == 32);
    CHECK(find("iip_addrs", NULL, &row) && row.size == 64);
    CHECK(find("iip_span", NULL, &row) && row.size == 32);
    CHECK(find("iip_log_record", NULL, &row) && row.size == 128);
}

static void the_end_and_nowhere(void)
{
    struct iip_layout row;
    CHECK_EQ(iip_layout_get(UINT32_MAX, &row), IIP_E_NOT_FOUND);
    CHECK_EQ(iip_layout_get(0, NULL), IIP_E_INVAL);
}

static void versions(void)
{
    CHECK_EQ(iip_abi_version(), (uint32_t)IIP_ABI_MAJOR << 16 | IIP_ABI_MINOR);
    CHECK_EQ(iip_abi_require(IIP_ABI_MAJOR, IIP_ABI_MINOR), IIP_OK);
    CHECK_EQ(iip_abi_require(IIP_ABI_MAJOR, IIP_ABI_MINOR + 1), IIP_E_ABI);
    CHECK_EQ(iip_abi_require(IIP_ABI_MAJOR + 1, 0), IIP_E_ABI);
}

static void features(void)
{
    CHECK_EQ(iip_probe("tcp.sack"), 1);
    CHECK_EQ(iip_probe("port.pair"), 1);
    CHECK_EQ(iip_probe("port.no_such"), 0);
    CHECK_EQ(iip_probe("tunable.tcp.mss"), 1);
    CHECK_EQ(iip_probe("tunable.no_such"), 0);
    CHECK_EQ(iip_probe("no.such"), 0);
    CHECK_EQ(iip_probe(""), 0);
    CHECK_EQ(iip_probe(NULL), 0);
    CHECK_STR(iip_feature_name(0), "abi.layout");
    CHECK(!iip_feature_name(UINT32_MAX));
    CHECK(iip_engine_kind(0) != NULL);
    CHECK(!iip_engine_kind(UINT32_MAX));
}

int main(void)
{
    RUN(rows_touch_each_other);
    RUN(rows_say_what_this_compiler_says);
    RUN(the_end_and_nowhere);
    RUN(versions);
    RUN(features);
    return check_done();
}
