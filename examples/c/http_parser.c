/* http_parser.c - see http_parser.h. Strict where leniency is how requests are smuggled past others [RFC 9112 11.2]. */
#include "http_parser.h"

#include <string.h>

int http_is_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
        (c && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

int http_text_is(struct http_text text, const char *same)
{
    return strlen(same) == text.n && memcmp(text.p, same, text.n) == 0;
}

int http_text_is_nocase(struct http_text text, const char *same)
{
    uint32_t i;
    for (i = 0; i < text.n && same[i] && lower(text.p[i]) == lower(same[i]); i++)
        ;
    return i == text.n && !same[i];
}

uint32_t http_head_end(const char *p, uint32_t n, uint32_t *scanned)
{
    uint32_t at = *scanned;
    const char *feed;
    while (at < n && (feed = memchr(p + at, '\n', n - at)) != NULL) {
        uint32_t next = (uint32_t)(feed - p) + 1;
        if (next < n && p[next] == '\n')
            return next + 1;
        if (next + 1 < n && p[next] == '\r' && p[next + 1] == '\n')
            return next + 2;
        if (next >= n || (next + 1 >= n && p[next] == '\r')) {
            *scanned = next - 1; /* the line feed again, with what follows it */
            return 0;
        }
        at = next;
    }
    *scanned = n;
    return 0;
}

/* ---- lines and fields ------------------------------------------------------------------------------------------ */

/* The next line without its end; 0 at the last, empty one. */
static int next_line(struct http_text *rest, struct http_text *line)
{
    const char *feed = memchr(rest->p, '\n', rest->n);
    if (!feed)
        return 0;
    line->p = rest->p;
    line->n = (uint32_t)(feed - rest->p);
    rest->p = feed + 1;
    rest->n -= line->n + 1;
    if (line->n && line->p[line->n - 1] == '\r')
        line->n--;
    return line->n != 0;
}

/* No control characters in a line: a bare CR or a zero byte means different things to different readers. */
static int is_plain(struct http_text line)
{
    uint32_t i;
    for (i = 0; i < line.n; i++) {
        unsigned char c = (unsigned char)line.p[i];
        if ((c < ' ' && c != '\t') || c == 127)
            return 0;
    }
    return 1;
}

static struct http_text trim(struct http_text t)
{
    while (t.n && (*t.p == ' ' || *t.p == '\t')) {
        t.p++;
        t.n--;
    }
    while (t.n && (t.p[t.n - 1] == ' ' || t.p[t.n - 1] == '\t'))
        t.n--;
    return t;
}

/* "Name: value"; -1 when it is not, also for a line that goes on the one before (obs-fold). */
static int split_field(struct http_text line, struct http_text *name, struct http_text *value)
{
    uint32_t i;
    for (i = 0; i < line.n && http_is_token(line.p[i]); i++)
        ;
    if (!i || i == line.n || line.p[i] != ':' || !is_plain(line))
        return -1;
    name->p = line.p;
    name->n = i;
    value->p = line.p + i + 1;
    value->n = line.n - i - 1;
    *value = trim(*value);
    return 0;
}

/* 1 when a comma-separated list has the word. */
static int has_word(struct http_text list, const char *word)
{
    struct http_text item;
    const char *comma;
    for (;;) {
        comma = memchr(list.p, ',', list.n);
        item.p = list.p;
        item.n = comma ? (uint32_t)(comma - list.p) : list.n;
        if (http_text_is_nocase(trim(item), word))
            return 1;
        if (!comma)
            return 0;
        list.p = comma + 1;
        list.n -= item.n + 1;
    }
}

static int read_number(struct http_text t, uint64_t *out)
{
    uint64_t value = 0;
    uint32_t i;
    if (!t.n || t.n > 18)
        return -1;
    for (i = 0; i < t.n; i++) {
        if (t.p[i] < '0' || t.p[i] > '9')
            return -1;
        value = value * 10 + (uint64_t)(t.p[i] - '0');
    }
    *out = value;
    return 0;
}

/* Of one length and the same again nothing is unclear; of two different ones everything is. [RFC 9112 6.3] */
static int read_length(struct http_text value, uint8_t *has, uint64_t *length)
{
    uint64_t n;
    if (read_number(value, &n) < 0 || (*has && n != *length))
        return 400;
    *has = 1;
    *length = n;
    return 0;
}

/* What a host and a port are made of; an empty one is a host too. [RFC 9112 3.2, RFC 3986 3.2.2] */
static int is_host(struct http_text t)
{
    uint32_t i;
    for (i = 0; i < t.n; i++) {
        char c = lower(t.p[i]);
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !(c && strchr("-._~!$&'()*+,;=%:[]", c)))
            return 0;
    }
    return 1;
}

static int request_field(struct http_request *req, struct http_text name, struct http_text value)
{
    if (http_text_is_nocase(name, "content-length"))
        return read_length(value, &req->has_length, &req->length);
    if (http_text_is_nocase(name, "transfer-encoding")) {
        if (req->chunked || req->minor == 0)
            return 400;
        req->chunked = 1;
        return http_text_is_nocase(value, "chunked") ? 0 : 501;
    }
    if (http_text_is_nocase(name, "connection")) {
        if (has_word(value, "close"))
            req->keep_alive = 0;
        else if (req->minor == 0 && has_word(value, "keep-alive"))
            req->keep_alive = 1;
    } else if (http_text_is_nocase(name, "host")) {
        req->hosts++;
        return is_host(value) ? 0 : 400;
    } else if (http_text_is_nocase(name, "expect")) {
        if (!http_text_is_nocase(value, "100-continue"))
            return 417;
        req->expect_continue = req->minor > 0;
    }
    return 0;
}

/* ---- first lines ----------------------------------------------------------------------------------------------- */

/* "HTTP/1.1": its minor version, or the status of the answer, negative. */
static int read_version(struct http_text t)
{
    if (t.n != 8 || memcmp(t.p, "HTTP/", 5) != 0 || t.p[6] != '.')
        return -400;
    if (t.p[5] < '0' || t.p[5] > '9' || t.p[7] < '0' || t.p[7] > '9')
        return -400;
    return t.p[5] == '1' ? t.p[7] - '0' : -505;
}

static struct http_text until_space(struct http_text *rest)
{
    const char *space = memchr(rest->p, ' ', rest->n);
    struct http_text word = {rest->p, space ? (uint32_t)(space - rest->p) : rest->n};
    rest->p += word.n + (space != NULL);
    rest->n -= word.n + (space != NULL);
    return word;
}

static int request_line(struct http_text line, struct http_request *req)
{
    int minor;
    uint32_t i;
    if (!is_plain(line))
        return 400;
    req->method = until_space(&line);
    req->target = until_space(&line);
    minor = read_version(line);
    for (i = 0; i < req->method.n && http_is_token(req->method.p[i]); i++)
        ;
    if (!i || i != req->method.n || !req->target.n)
        return 400;
    if (minor < 0)
        return -minor;
    req->minor = (uint8_t)minor;
    req->keep_alive = minor > 0;
    return 0;
}

int http_request_read(const char *p, uint32_t n, struct http_request *req)
{
    struct http_text rest = {p, n};
    struct http_text line, name, value;
    int status;
    memset(req, 0, sizeof *req);
    if (!next_line(&rest, &line))
        return 400;
    status = request_line(line, req);
    while (!status && next_line(&rest, &line))
        status = split_field(line, &name, &value) < 0 ? 400 : request_field(req, name, value);
    if (status)
        return status;
    if (req->chunked && req->has_length) /* which of them the next reader believes is not ours to guess */
        return 400;
    return req->hosts > 1 || (req->minor > 0 && req->hosts == 0) ? 400 : 0; /* [RFC 9112 3.2] */
}

int http_response_read(const char *p, uint32_t n, struct http_response *res)
{
    struct http_text rest = {p, n};
    struct http_text line, name, value, word;
    uint64_t status;
    int minor;
    memset(res, 0, sizeof *res);
    if (!next_line(&rest, &line))
        return -1;
    word = until_space(&line);
    minor = read_version(word);
    word = until_space(&line);
    if (minor < 0 || word.n != 3 || read_number(word, &status) < 0)
        return -1;
    res->status = (uint32_t)status;
    res->keep_alive = minor > 0;
    while (next_line(&rest, &line)) {
        if (split_field(line, &name, &value) < 0)
            return -1;
        if (http_text_is_nocase(name, "content-length") && read_length(value, &res->has_length, &res->length))
            return -1;
        if (http_text_is_nocase(name, "transfer-encoding"))
            res->chunked = 1;
        if (http_text_is_nocase(name, "connection") && has_word(value, "close"))
            res->keep_alive = 0;
    }
    return 0;
}

/* ---- paths ----------------------------------------------------------------------------------------------------- */

int http_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct http_text http_origin(struct http_text t)
{
    const uint32_t scheme = 7;
    struct http_text head = {t.p, scheme};
    uint32_t at = scheme;
    if (t.n < scheme || !http_text_is_nocase(head, "http://"))
        return t;
    while (at < t.n && !strchr("/?#", t.p[at]))
        at++;
    if (at == scheme) { /* without a host it names nothing [RFC 9110 4.2.1] */
        t.n = 0;
    } else if (at == t.n || t.p[at] != '/') {
        t.p = "/";
        t.n = 1;
    } else {
        t.p += at;
        t.n -= at;
    }
    return t;
}

/* 1 when a step of the path is "..". */
static int goes_up(const char *path)
{
    const char *at;
    for (at = path; (at = strstr(at, "..")) != NULL; at++) {
        if (at[-1] == '/' && (at[2] == '/' || !at[2])) /* the path begins with '/' */
            return 1;
    }
    return 0;
}

int http_path(struct http_text target, char *out, uint32_t cap)
{
    uint32_t at = 0;
    uint32_t i;
    target = http_origin(target);
    if (!target.n || target.p[0] != '/')
        return -1;
    for (i = 0; i < target.n && target.p[i] != '?' && target.p[i] != '#'; i++) {
        int c = (unsigned char)target.p[i];
        if (c == '%') {
            if (i + 2 >= target.n || http_hex(target.p[i + 1]) < 0 || http_hex(target.p[i + 2]) < 0)
                return -1;
            c = http_hex(target.p[i + 1]) * 16 + http_hex(target.p[i + 2]);
            i += 2;
        }
        if (!c || at + 1 >= cap)
            return -1;
        out[at++] = (char)c;
    }
    out[at] = 0;
    return goes_up(out) ? -1 : (int)at;
}
