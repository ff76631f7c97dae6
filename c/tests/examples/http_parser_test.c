/* http_parser_test.c - heads and chunked bodies, whole, split at every byte, at random, and broken. */
#include "check.h"
#include "http_parser.h"

static const char whole[] = "GET /a%20b?q HTTP/1.1\r\nHost: x\r\nX-Y:  v \r\nConnection: Keep-Alive\r\n\r\n";

/* A generator for tests: the same numbers each time. */
static uint64_t state = 1;
static uint32_t any(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

static int read_text(const char *text, struct http_request *req)
{
    uint32_t scanned = 0;
    uint32_t n = http_head_end(text, (uint32_t)strlen(text), &scanned);
    return n ? http_request_read(text, n, req) : -1;
}

static int status_of(const char *text)
{
    struct http_request req;
    return read_text(text, &req);
}

static void reads_a_request(void)
{
    struct http_request req;
    char path[64];
    CHECK_EQ(read_text(whole, &req), 0);
    CHECK(http_text_is(req.method, "GET"));
    CHECK(http_text_is(req.target, "/a%20b?q"));
    CHECK_EQ(req.minor, 1);
    CHECK_EQ(req.keep_alive, 1);
    CHECK_EQ(req.hosts, 1);
    CHECK_EQ(http_path(req.target, path, sizeof path), 4);
    CHECK_STR(path, "/a b");
}

static void finds_the_end_at_every_split(void)
{
    uint32_t n = (uint32_t)strlen(whole);
    uint32_t cut, scanned;
    for (cut = 0; cut < n; cut++) {
        scanned = 0;
        CHECK_EQ(http_head_end(whole, cut, &scanned), 0);
        CHECK(scanned <= cut);
        CHECK_EQ(http_head_end(whole, n, &scanned), n);
    }
    scanned = 0;
    for (cut = 0; cut < n; cut++)
        CHECK_EQ(http_head_end(whole, cut, &scanned), 0);
    CHECK_EQ(http_head_end(whole, n, &scanned), n);
}

static void stops_at_the_first_end(void)
{
    uint32_t scanned = 0;
    CHECK_EQ(http_head_end("A\r\n\r\nB\r\n\r\n", 10, &scanned), 5);
    scanned = 0;
    CHECK_EQ(http_head_end("A\n\nB", 4, &scanned), 3);
    scanned = 0;
    CHECK_EQ(http_head_end("A\n\r\nB", 5, &scanned), 4);
    scanned = 0;
    CHECK_EQ(http_head_end("A\n\rB\n\n", 6, &scanned), 6);
}

static void keeps_alive_by_version_and_word(void)
{
    struct http_request req;
    CHECK_EQ(read_text("GET / HTTP/1.0\r\n\r\n", &req), 0);
    CHECK_EQ(req.keep_alive, 0);
    CHECK_EQ(read_text("GET / HTTP/1.0\r\nConnection: foo, keep-alive\r\n\r\n", &req), 0);
    CHECK_EQ(req.keep_alive, 1);
    CHECK_EQ(read_text("GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade ,CLOSE\r\n\r\n", &req), 0);
    CHECK_EQ(req.keep_alive, 0);
}

static void reads_what_says_how_long_the_body_is(void)
{
    struct http_request req;
    CHECK_EQ(read_text("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\ncontent-length:12\r\n\r\n", &req), 0);
    CHECK_EQ(req.length, 12);
    CHECK_EQ(read_text("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\nExpect: 100-continue\r\n\r\n", &req),
             0);
    CHECK_EQ(req.chunked, 1);
    CHECK_EQ(req.expect_continue, 1);
    CHECK_EQ(read_text("PUT / HTTP/1.0\r\nCONTENT-LENGTH:\t 9\t \r\nExpect: 100-continue\r\n\r\n", &req), 0);
    CHECK_EQ(req.length, 9);
    CHECK_EQ(req.expect_continue, 0); /* [RFC 9110 10.1.1] */
}

static void compares_texts(void)
{
    CHECK(http_text_is_nocase((struct http_text){"aZ", 2}, "Az"));
    CHECK(!http_text_is_nocase((struct http_text){"a[", 2}, "a{"));
    CHECK(!http_text_is_nocase((struct http_text){"ab", 2}, "abc"));
    CHECK(!http_text_is_nocase((struct http_text){"abc", 3}, "ab"));
    CHECK(!http_text_is((struct http_text){"aZ", 2}, "az"));
}

static void refuses_what_is_unclear(void)
{
    static const struct {
        int status;
        const char *text;
    } bad[] = {
        {400, "GET / HTTP/1.1\r\n\r\n"},                                  /* no Host */
        {400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},                     /* no host at all [RFC 9112 3.2] */
        {400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},
        {400, "GET /\r\nHost: a\r\n\r\n"},
        {400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "G\x01T / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/1.1x\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/1.:\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/:.1\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/1./\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP//.1\r\nHost: a\r\n\r\n"},
        {400, "@ET / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "@ / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, " / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GE@ / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"},                /* no name */
        {400, "GET / HTTP/1.1\r\nHost: a\r\n@: b\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\n@b: b\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nb@c: b\r\n\r\n"},
        {400, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1:\r\n\r\n"},
        {400, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: /1\r\n\r\n"},
        {400, "GET / http/1.1\r\nHost: a\r\n\r\n"},
        {505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"},
        {505, "PRI * HTTP/2.0\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"},                      /* blank before the colon */
        {400, "GET / HTTP/1.1\r\nHost: a\r\n more\r\n\r\n"},              /* folded line */
        {400, "GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"},            /* bare CR */
        {400, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"},
        {400, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n"},
        {400, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"},
        {400, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n"},
        {400, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"},
        {400, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"},
        {400, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {400, "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {400, "PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {501, "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"},
        {417, "PUT / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n"}};
    struct http_request req;
    size_t i;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (!CHECK_EQ(status_of(bad[i].text), bad[i].status))
            printf("  for: %s\n", bad[i].text);
    }
    CHECK_EQ(status_of("GET / HTTP/1.1\r\nHost: [fd00::1]:80\r\n\r\n"), 0);
    CHECK_EQ(status_of("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 0);
    CHECK_EQ(http_request_read("GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 33, &req), 400);
}

static int path_of(const char *target, char *out)
{
    struct http_text text = {target, (uint32_t)strlen(target)};
    return http_path(text, out, 64);
}

static void paths(void)
{
    char out[64];
    CHECK_EQ(path_of("/", out), 1);
    CHECK_EQ(path_of("http://h:80/x?y#z", out), 2);
    CHECK_STR(out, "/x");
    CHECK_EQ(path_of("HTTP://h", out), 1);
    CHECK_EQ(path_of("http://h?x=/y", out), 1);
    CHECK_EQ(path_of("http://h#/y", out), 1);
    CHECK_EQ(path_of("http:///x", out), -1); /* [RFC 9110 4.2.1] */
    CHECK_EQ(path_of("http://", out), -1);
    CHECK_EQ(path_of("http://?", out), -1);
    CHECK_EQ(path_of("/a..b/..c/d../...", out), 17);
    CHECK_EQ(path_of("/%41%2f%3F", out), 4);
    CHECK_STR(out, "/A/?");
    CHECK_EQ(path_of("/%4F%4f%4a%49", out), 5);
    CHECK_STR(out, "/OOJI");
    CHECK_EQ(path_of("/%4", out), -1);
    CHECK_EQ(path_of("/%4g", out), -1);
    CHECK_EQ(path_of("/%:0", out), -1);
    CHECK_EQ(http_path((struct http_text){"/%41", 3}, out, sizeof out), -1); /* the last digit is not part of it */
}

static void paths_do_not_go_up(void)
{
    static const char *const bad[] = {"/..", "/../etc/passwd", "/a/../b", "/a/..", "/%2e%2e/x", "/%2E%2e%2fx", "/.%2e/",
                                      "/a%2f..%2fb", "http://h/..", "", "*", "x", "/%", "/%4", "/%zz", "/%00", "/a%00b"};
    char out[64];
    size_t i;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (!CHECK_EQ(path_of(bad[i], out), -1))
            printf("  for: %s\n", bad[i]);
    }
    memset(out, 'a', sizeof out);
    out[0] = '/';
    out[63] = 0;
    CHECK_EQ(path_of(out, (char[64]){0}), 63);
    CHECK_EQ(http_path((struct http_text){out, 63}, (char[64]){0}, 63), -1); /* no room for the terminating zero */
}

/* ---- chunked bodies -------------------------------------------------------------------------------------------- */

/* Reads a body that comes in pieces of at most `step` bytes (0: random); its data goes to out. Returns the final state;
   *used says how many bytes of the input belong to it. */
static int chunks(const char *in, uint32_t n, uint32_t step, char *out, uint32_t *used)
{
    struct http_chunks c = {0};
    struct http_text data;
    uint32_t at = 0, len = 0;
    *used = 0;
    while (at < n && c.state < HTTP_CHUNKS_DONE) {
        uint32_t piece = step ? step : 1 + any(9);
        uint32_t end = at + (piece < n - at ? piece : n - at);
        while (at < end && c.state < HTTP_CHUNKS_DONE) {
            uint32_t took = http_chunks_read(&c, in + at, end - at, &data);
            if (!took)
                return -1;
            memcpy(out + len, data.p, data.n);
            len += data.n;
            at += took;
        }
    }
    out[len] = 0;
    *used = at;
    return c.state;
}

static void chunked_bodies_at_every_split(void)
{
    static const char body[] = "4\r\nWiki\r\n0005;name=\"v\"\r\npedia\r\nE \r\n in\r\n\r\nchunks.\r\n0\r\nT: v\r\nU: w\r\n\r\nnext";
    char out[128];
    uint32_t step, used;
    for (step = 0; step < sizeof body; step++) {
        CHECK_EQ(chunks(body, sizeof body - 1, step, out, &used), HTTP_CHUNKS_DONE);
        CHECK_STR(out, "Wikipedia in\r\n\r\nchunks.");
        CHECK_EQ(used, sizeof body - 1 - 4);
    }
}

static void many_chunks(void)
{
    char body[2000], out[400];
    uint32_t n = 0, used, i;
    for (i = 0; i < 100; i++)
        n += (uint32_t)snprintf(body + n, sizeof body - n, "0001\r\nx\r\n");
    n += (uint32_t)snprintf(body + n, sizeof body - n, "0\r\n\r\n");
    CHECK_EQ(chunks(body, n, 7, out, &used), HTTP_CHUNKS_DONE);
    CHECK_EQ(strlen(out), 100);
}

static void chunked_bodies_that_are_broken(void)
{
    static const char *const bad[] = {"x", "\r\n", "4\n", "4\r\r", "4\r\nabcdX", "4\r\nabcd\rX", "-1\r\n", "0x4\r\n",
                                      "1234567890abcdef\r\n", "0\r\n\n", "0\r\n\rX", "1;a\nb", "1 2\r\n",
                                      "1\t;\x01", "1;\x7f", "0\r\nX y\r\n", "0\r\n X: y\r\n", "0\r\n: y\r\n",
                                      "0\r\nX : y\r\n", "0\r\nX: \x01", "0\r\nX: y\n", "0\r\nX: y\rz", "0\r\nGET / HTTP/1.1\r\n"};
    char out[128];
    uint32_t used;
    size_t i;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (!CHECK_EQ(chunks(bad[i], (uint32_t)strlen(bad[i]), 1, out, &used), HTTP_CHUNKS_BAD))
            printf("  for: %s\n", bad[i]);
    }
}

static void trailers_are_not_endless(void)
{
    struct http_chunks c = {0};
    struct http_text data;
    uint32_t fed = 3;
    http_chunks_read(&c, "0\r\n", 3, &data);
    while (c.state < HTTP_CHUNKS_DONE && fed < 100000)
        fed += http_chunks_read(&c, "a: b\r\n", 6, &data);
    CHECK_EQ(c.state, HTTP_CHUNKS_BAD);
    CHECK(fed < 20000);
}

/* ---- anything -------------------------------------------------------------------------------------------------- */

/* Heads with a few bytes changed: whatever they say, what is read lies within them, however they are split. */
static void changed_heads_stay_in_bounds(void)
{
    static const char odd[] = "\r\n\0 :;,/%.\x7f\xff" "0Az";
    struct http_request req;
    uint32_t round, i, n = (uint32_t)strlen(whole);
    for (round = 0; round < 200000; round++) {
        char *text = malloc(n); /* exactly, so that sanitizers see one byte too much */
        uint32_t scanned = 0, split = 0, end = 0;
        if (!text)
            return;
        memcpy(text, whole, n);
        for (i = any(6); i; i--)
            text[any(n)] = odd[any(sizeof odd)];
        for (i = 0; i < n && !end; i += 1 + any(20))
            end = http_head_end(text, i, &scanned);
        split = end;
        scanned = 0;
        end = http_head_end(text, n, &scanned);
        CHECK(!split || split == end);
        if (end && http_request_read(text, end, &req) == 0) {
            CHECK(req.target.p >= text && req.target.p + req.target.n <= text + end);
            char path[100];
            int len = http_path(req.target, path, sizeof path);
            CHECK(len < 0 || (path[0] == '/' && !strstr(path, "/../")));
        }
        free(text);
    }
}

static void any_chunks_stay_in_bounds(void)
{
    static const char likely[] = "0123456789abcdef\r\n\r\n\r\n;: x";
    char in[64], out[128];
    uint32_t round, i, used, n;
    for (round = 0; round < 200000; round++) {
        n = any(sizeof in);
        for (i = 0; i < n; i++)
            in[i] = likely[any(sizeof likely)];
        CHECK(chunks(in, n, 0, out, &used) >= 0);
        CHECK(used <= n);
    }
}

static void responses(void)
{
    struct http_response res;
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n";
    CHECK_EQ(http_response_read(ok, sizeof ok - 1, &res), 0);
    CHECK_EQ(res.status, 200);
    CHECK_EQ(res.length, 5);
    CHECK_EQ(res.keep_alive, 0);
    CHECK_EQ(http_response_read("HTTP/1.1 204 \r\n\r\n", 17, &res), 0);
    CHECK_EQ(res.keep_alive, 1);
    CHECK_EQ(http_response_read("HTTP/1.0 204 \r\nX: close\r\n\r\n", 27, &res), 0);
    CHECK_EQ(res.keep_alive, 0);
    CHECK_EQ(http_response_read("HTTP/1.1 200 OK\r\nX: close\r\n\r\n", 29, &res), 0);
    CHECK_EQ(res.keep_alive, 1);
    CHECK_EQ(http_response_read("HTTP/1.1 2000 OK\r\n\r\n", 20, &res), -1);
    CHECK_EQ(http_response_read("FTP/1.1 200 OK\r\n\r\n", 18, &res), -1);
}

int main(void)
{
    RUN(reads_a_request);
    RUN(finds_the_end_at_every_split);
    RUN(stops_at_the_first_end);
    RUN(keeps_alive_by_version_and_word);
    RUN(reads_what_says_how_long_the_body_is);
    RUN(compares_texts);
    RUN(refuses_what_is_unclear);
    RUN(paths);
    RUN(paths_do_not_go_up);
    RUN(chunked_bodies_at_every_split);
    RUN(many_chunks);
    RUN(chunked_bodies_that_are_broken);
    RUN(trailers_are_not_endless);
    RUN(changed_heads_stay_in_bounds);
    RUN(any_chunks_stay_in_bounds);
    RUN(responses);
    return check_done();
}
