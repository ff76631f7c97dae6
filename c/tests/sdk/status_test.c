/* status_test.c - the table of statuses: complete, stable, and total over all numbers. */
#include <errno.h>

#include "check.h"
#include "iip/iip.h"

static void every_status_has_a_name_of_its_own(void)
{
    int32_t a, b;
    for (a = IIP_OK; a > IIP_E_LAST; a--) {
        CHECK(strcmp(iip_status_name(a), "IIP_E_UNKNOWN") != 0);
        CHECK(strncmp(iip_status_name(a), a ? "IIP_E_" : "IIP_OK", 6) == 0);
        CHECK(strlen(iip_status_text(a)) > 5);
        for (b = IIP_OK; b > a; b--)
            CHECK(strcmp(iip_status_name(a), iip_status_name(b)) != 0);
    }
}

static void names_numbers_classes_and_errnos_are_as_published(void)
{
    CHECK_STR(iip_status_name(-1), "IIP_E_AGAIN");
    CHECK_STR(iip_status_name(-21), "IIP_E_STALE");
    CHECK_STR(iip_status_name(-30), "IIP_E_LINK_DOWN");
    CHECK_EQ(iip_status_class(IIP_E_AGAIN), IIP_CLASS_RETRY);
    CHECK_EQ(iip_status_class(IIP_E_RESET), IIP_CLASS_CONNECTION);
    CHECK_EQ(iip_status_class(IIP_E_IO), IIP_CLASS_LOOP);
    CHECK_EQ(iip_status_class(IIP_E_STALE), IIP_CLASS_USAGE);
    CHECK_EQ(iip_status_class(IIP_E_NOBUFS), IIP_CLASS_RESOURCE);
    CHECK_EQ(iip_status_errno(IIP_E_REFUSED), ECONNREFUSED);
    CHECK_EQ(iip_status_errno(IIP_E_TIMEOUT), ETIMEDOUT);
}

static void every_number_is_answered(void)
{
    CHECK_EQ(iip_status_class(7), IIP_CLASS_OK); /* a count is success */
    CHECK_STR(iip_status_name(IIP_E_LAST), "IIP_E_UNKNOWN");
    CHECK_STR(iip_status_name(INT32_MIN), "IIP_E_UNKNOWN");
    CHECK_EQ(iip_status_errno(INT32_MIN), EINVAL);
    CHECK_EQ(iip_status_errno(INT32_MAX), 0);
}

int main(void)
{
    RUN(every_status_has_a_name_of_its_own);
    RUN(names_numbers_classes_and_errnos_are_as_published);
    RUN(every_number_is_answered);
    return check_done();
}
