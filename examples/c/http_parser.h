/*
 * http_parser.h - reads HTTP/1.x messages from memory: no allocation, no I/O, no state but what is shown here.
 *
 * A head is found first (http_head_end, which goes on where it stopped when more bytes come) and read at one go when it
 * is whole, where it lies. Chunked bodies are read piece by piece, split anywhere. [RFC 9112]
 */
#ifndef EX_HTTP_PARSER_H
#define EX_HTTP_PARSER_H

#include <stdint.h>

/* Bytes within the message, not terminated. */
struct http_text {
    const char *p;
    uint32_t n;
};

struct http_request {
    struct http_text method;
    struct http_text target;
    uint64_t length;         /* of the body, with has_length */
    uint8_t minor;           /* of HTTP/1.minor */
    uint8_t keep_alive;      /* the connection may serve another request */
    uint8_t has_length;
    uint8_t chunked;
    uint8_t expect_continue; /* the client waits for a 100 before it sends the body */
    uint8_t hosts;           /* Host fields */
};

struct http_response { /* what our own client needs */
    uint32_t status;
    uint8_t keep_alive;
    uint8_t has_length;
    uint8_t chunked;
    uint64_t length;
};

/* How many bytes the head has, its empty line included; 0: it is not whole yet. `*scanned` begins with 0 and belongs to
   the same head when p holds more of it. */
uint32_t http_head_end(const char *p, uint32_t n, uint32_t *scanned);
/* Reads a whole head. 0, or the status of the answer: 400, 417, 501, 505. */
int http_request_read(const char *p, uint32_t n, struct http_request *req);
/* 0, or -1: not HTTP/1.x. */
int http_response_read(const char *p, uint32_t n, struct http_response *res);

int http_text_is(struct http_text text, const char *same);        /* letter by letter */
int http_text_is_nocase(struct http_text text, const char *same);
int http_is_token(char c); /* of what methods and field names are made */
int http_hex(char c);      /* 0 to 15, or -1 */

/* Where the reader of a chunked body stands. All zero to begin with. */
struct http_chunks {
    uint8_t state;
    uint8_t digits;   /* of the size */
    uint32_t extra;   /* bytes of extensions and trailer fields so far: they are not endless */
    uint64_t left;    /* of this chunk */
};
enum { HTTP_CHUNKS_DONE = 100, HTTP_CHUNKS_BAD = 101 }; /* states in which it ends */

/* Uses up bytes until it comes to the end of a piece of the body, which it names in *data (n 0: none), to that of the
   body or of the input. Returns the bytes used. */
uint32_t http_chunks_read(struct http_chunks *c, const char *p, uint32_t n, struct http_text *data);

/* The target without scheme and authority: "http://host/path" is as good as "/path". [RFC 9112 3.2.2] Empty: no host. */
struct http_text http_origin(struct http_text target);

/* Decodes the path of a target into out (terminated): scheme, authority and query go, %41 becomes A. Returns its length,
   or -1: no path, a bad escape, a zero byte, a step upwards ("..", however it is written), or cap is too small. */
int http_path(struct http_text target, char *out, uint32_t cap);

#endif
