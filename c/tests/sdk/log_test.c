/* log_test.c - the ring of log records: order, levels, overwriting, long texts. */
#include "check.h"
#include "sdk.h"

static struct iip_engine engine;

static void begin(uint32_t level)
{
    memset(&engine, 0, sizeof engine);
    engine.open = 1;
    engine.epoch = iip_epoch();
    iip_log_init(&engine.log, level);
}

static void the_oldest_come_first(void)
{
    struct iip_log_record row[3];
    begin(IIP_LOG_DEBUG);
    iip_log_write(&engine, IIP_LOG_WARN, 2, 77, IIP_E_IO, "number %d", 1);
    iip_log_write(&engine, IIP_LOG_DEBUG, 3, 0, IIP_OK, "number %d", 2);
    CHECK_EQ(iip_engine_log(&engine, row, 3), 2);
    CHECK_STR(row[0].text, "number 1");
    CHECK_EQ(row[0].obj, 77);
    CHECK_EQ(row[0].status, IIP_E_IO);
    CHECK_EQ(row[0].loop, 2);
    CHECK_EQ(row[0].level, IIP_LOG_WARN);
    CHECK_STR(row[1].text, "number 2");
    CHECK(row[1].time_us >= row[0].time_us);
}

static void levels_beyond_the_limit_are_not_kept(void)
{
    struct iip_log_record row[3];
    begin(0); /* the default: warnings */
    iip_log_write(&engine, IIP_LOG_INFO, 0, 0, 0, "no");
    iip_log_write(&engine, IIP_LOG_WARN, 0, 0, 0, "yes");
    CHECK_EQ(iip_engine_log(&engine, row, 3), 1);
    CHECK_STR(row[0].text, "yes");
}

static void what_is_overwritten_is_counted(void)
{
    struct iip_log_record row[2];
    uint32_t i;
    begin(IIP_LOG_DEBUG);
    for (i = 0; i < IIP_LOG_RECORDS + 10; i++)
        iip_log_write(&engine, IIP_LOG_ERROR, 0, 0, 0, "%u", i);
    CHECK_EQ(iip_engine_log(&engine, row, 2), 2);
    CHECK_STR(row[0].text, "10");
    CHECK_EQ(row[0].lost, 10);
    CHECK_EQ(row[1].lost, 0);
    for (i = 2; iip_engine_log(&engine, row, 1) == 1; i++)
        ;
    CHECK_EQ(i, IIP_LOG_RECORDS);
}

static void a_long_text_is_cut_and_terminated(void)
{
    struct iip_log_record row;
    char longer[200];
    begin(IIP_LOG_DEBUG);
    memset(longer, 'x', sizeof longer);
    longer[199] = 0;
    iip_log_write(&engine, IIP_LOG_ERROR, 0, 0, 0, "%s", longer);
    CHECK_EQ(iip_engine_log(&engine, &row, 1), 1);
    CHECK_EQ(strlen(row.text), sizeof row.text - 1);
}

int main(void)
{
    RUN(the_oldest_come_first);
    RUN(levels_beyond_the_limit_are_not_kept);
    RUN(what_is_overwritten_is_counted);
    RUN(a_long_text_is_cut_and_terminated);
    return check_done();
}
