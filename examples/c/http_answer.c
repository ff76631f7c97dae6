/* http_answer.c - what is answered to a request: the head of the answer, and where its body comes from. */
#include "http.h"

#include <stdlib.h>
#include <string.h>

static const char *reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } all[] = {{200, "OK"},
               {301, "Moved Permanently"},
               {400, "Bad Request"},
               {404, "Not Found"},
               {405, "Method Not Allowed"},
               {408, "Request Timeout"},
               {413, "Content Too Large"},
               {414, "URI Too Long"},
               {417, "Expectation Failed"},
               {431, "Request Header Fields Too Large"},
               {501, "Not Implemented"},
               {503, "Service Unavailable"},
               {505, "HTTP Version Not Supported"}};
    size_t i;
    for (i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i].status == status)
            return all[i].text;
    }
    return "Unknown";
}

static const char *date(struct http *h)
{
    time_t now = time(NULL);
    struct tm tm;
    if (now != h->date_of) {
        gmtime_r(&now, &tm);
        strftime(h->date, sizeof h->date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        h->date_of = now;
    }
    return h->date;
}

/* The head goes to c->text, since there may be no buffer for it right now. `more` is a field with its line end. */
static void write_head(struct http *h, struct http_conn *c, int status, const char *more)
{
    int n = snprintf(c->text, sizeof c->text,
                     "HTTP/1.1 %d %s\r\nServer: iip\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %llu\r\n"
                     "Connection: %s\r\n%s\r\n",
                     status, reason(status), date(h), c->body.type ? c->body.type : "text/plain",
                     (unsigned long long)(c->body.end - c->body.at), c->keep ? "keep-alive" : "close", more);
    c->text_at = 0;
    c->text_n = (uint32_t)n;
    if (c->head_only)
        http_body_end(&c->body);
    ex_count(h->l, status == 200 ? HTTP_N_OK : HTTP_N_REFUSED, 1);
}

static void answer_short(struct http *h, struct http_conn *c, int status, const char *more)
{
    char text[80];
    snprintf(text, sizeof text, "%d %s\n", status, reason(status));
    http_body_end(&c->body);
    http_body_text(&c->body, "text/plain", text); /* without memory the answer has an empty body */
    write_head(h, c, status, more);
}

void http_answer_status(struct http *h, struct http_conn *c, int status)
{
    c->keep = 0; /* where the next request would begin is not known */
    answer_short(h, c, status, "");
    http_phase(h, c, HTTP_ANSWER);
}

void http_answer_sink(struct http *h, struct http_conn *c)
{
    char text[120], hex[65];
    sha256_end(c->sha, hex);
    free(c->sha);
    c->sha = NULL;
    snprintf(text, sizeof text, "%llu bytes, sha256 %s\n", (unsigned long long)c->body_n, hex);
    http_body_text(&c->body, "text/plain", text);
    write_head(h, c, 200, "");
    http_phase(h, c, HTTP_ANSWER);
}

/* The target as it was written, with a '/' behind its path; always a path of ours ("//other.host" would not be one). */
static void answer_moved(struct http *h, struct http_conn *c, struct http_text target)
{
    char more[HTTP_TEXT_MAX];
    const char *query = memchr(target.p, '?', target.n);
    uint32_t n = query ? (uint32_t)(query - target.p) : target.n;
    const char *p = target.p;
    while (n && *p == '/') {
        p++;
        n--;
    }
    if (n > 300) {
        answer_short(h, c, 404, "");
        return;
    }
    snprintf(more, sizeof more, "Location: /%.*s/\r\n", (int)n, p);
    answer_short(h, c, 301, more);
}

static void answer_get(struct http *h, struct http_conn *c, const struct http_request *req, const char *path)
{
    int status = http_find(h->site, path, &c->body);
    if (status == 200)
        write_head(h, c, 200, "");
    else if (status == 301)
        answer_moved(h, c, http_origin(req->target));
    else
        answer_short(h, c, status, "");
}

static int is_known(struct http_text method)
{
    static const char *const known[] = {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"};
    size_t i;
    for (i = 0; i < sizeof known / sizeof *known; i++) {
        if (http_text_is(method, known[i]))
            return 1;
    }
    return 0;
}

static int is_upload(struct http_text method)
{
    return http_text_is(method, "PUT") || http_text_is(method, "POST");
}

static int begin_sink(struct http *h, struct http_conn *c)
{
    c->sha = malloc(sizeof *c->sha);
    if (!c->sha)
        return 503;
    sha256_begin(c->sha);
    c->body_max = h->site->body_max;
    return 0;
}

/* The answer is ready before the body of the request is read; the body then only has to pass. */
static void prepare(struct http *h, struct http_conn *c, const struct http_request *req, const char *path)
{
    int is_sink = path && strcmp(path, "/sink") == 0;
    if (http_text_is(req->method, "GET") || http_text_is(req->method, "HEAD")) {
        if (path)
            answer_get(h, c, req, path);
        else
            answer_short(h, c, 400, "");
    } else if (is_sink && is_upload(req->method)) {
        if (begin_sink(h, c))
            answer_short(h, c, 503, "");
    } else if (is_known(req->method)) {
        answer_short(h, c, 405, is_sink ? "Allow: PUT, POST\r\n" : "Allow: GET, HEAD\r\n");
    } else {
        answer_short(h, c, 501, "");
    }
}

/* The client waits for a word before it sends the body: "go on" for the sink, else the answer itself. */
static void answer_expect(struct http *h, struct http_conn *c)
{
    if (!c->sha) {
        http_phase(h, c, HTTP_ANSWER);
        return;
    }
    c->text_at = 0;
    c->text_n = (uint32_t)snprintf(c->text, sizeof c->text, "HTTP/1.1 100 Continue\r\n\r\n");
    http_phase(h, c, HTTP_BODY);
}

static void begin_request(struct http_conn *c, const struct http_request *req)
{
    c->head_only = http_text_is(req->method, "HEAD");
    c->keep = req->keep_alive;
    c->chunked = req->chunked;
    c->body_left = req->length;
    c->body_n = 0;
    c->body_max = HTTP_DISCARD_MAX;
    memset(&c->chunks, 0, sizeof c->chunks);
}

void http_answer(struct http *h, struct http_conn *c, const struct http_request *req)
{
    char path[HTTP_HEAD_MAX];
    int has_path = http_path(req->target, path, sizeof path) >= 0;
    int has_body = req->chunked || req->length;
    int waits = has_body && req->expect_continue;
    begin_request(c, req);
    if (waits && !(has_path && strcmp(path, "/sink") == 0 && is_upload(req->method)))
        c->keep = 0; /* whether the body comes after a refusal is the client's choice */
    prepare(h, c, req, has_path ? path : NULL);
    if (has_body && c->body_left > c->body_max)
        http_answer_status(h, c, 413);
    else if (waits)
        answer_expect(h, c);
    else if (has_body)
        http_phase(h, c, HTTP_BODY);
    else if (c->sha)
        http_answer_sink(h, c);
    else
        http_phase(h, c, HTTP_ANSWER);
}
