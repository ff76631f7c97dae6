/*
 * check.h - the whole test library.
 *
 *     static void adds(void) { CHECK_EQ(1 + 1, 2); }
 *     int main(void) { RUN(adds); return check_done(); }
 *
 * A check that fails prints where and what, is counted, and the test goes on; REQUIRE leaves the function instead.
 * check_done prints "N passed, N failed" (functions run by RUN) and returns the exit code.
 */
#ifndef IIP_TESTS_CHECK_H
#define IIP_TESTS_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_failures; /* checks that failed in the test that runs */
static int check_passed, check_failed;

enum { CHECK_SKIPPED = 77 }; /* exit code of a test program that cannot run here, and has said why */

static inline int check_that(int ok, const char *file, int line, const char *text)
{
    if (!ok) {
        printf("%s:%d: failed: %s\n", file, line, text);
        check_failures++;
    }
    return ok;
}

static inline int check_same(long long a, long long b, const char *file, int line, const char *text)
{
    if (a != b) {
        printf("%s:%d: failed: %s: %lld (0x%llx) is not %lld (0x%llx)\n", file, line, text, a, (unsigned long long)a, b,
               (unsigned long long)b);
        check_failures++;
    }
    return a == b;
}

static inline int check_text(const char *a, const char *b, const char *file, int line, const char *text)
{
    int same = a && b && strcmp(a, b) == 0;
    if (!same) {
        printf("%s:%d: failed: %s: \"%s\" is not \"%s\"\n", file, line, text, a ? a : "(null)", b ? b : "(null)");
        check_failures++;
    }
    return same;
}

static inline int check_bytes(const void *a, const void *b, size_t n, const char *file, int line, const char *text)
{
    const unsigned char *x = a;
    const unsigned char *y = b;
    size_t i;
    for (i = 0; i < n; i++) {
        if (x[i] != y[i]) {
            printf("%s:%d: failed: %s: byte %zu of %zu is %02x, not %02x\n", file, line, text, i, n, x[i], y[i]);
            check_failures++;
            return 0;
        }
    }
    return 1;
}

static inline void check_run(void (*test)(void), const char *name)
{
    check_failures = 0;
    test();
    printf("%s %s\n", check_failures ? "FAIL" : "ok  ", name);
    fflush(stdout);
    if (check_failures)
        check_failed++;
    else
        check_passed++;
}

static inline int check_done(void)
{
    printf("%d passed, %d failed\n", check_passed, check_failed);
    return check_failed || !check_passed ? 1 : 0;
}

#define CHECK(cond) check_that((cond) != 0, __FILE__, __LINE__, #cond)
#define CHECK_EQ(a, b) check_same((long long)(a), (long long)(b), __FILE__, __LINE__, #a " == " #b)
#define CHECK_STR(a, b) check_text((a), (b), __FILE__, __LINE__, #a " == " #b)
#define CHECK_MEM(a, b, n) check_bytes((a), (b), (n), __FILE__, __LINE__, #a " == " #b)
#define REQUIRE(cond)                                              \
    do {                                                           \
        if (!check_that((cond) != 0, __FILE__, __LINE__, #cond))   \
            return;                                                \
    } while (0)
#define RUN(test) check_run((test), #test)

#endif
