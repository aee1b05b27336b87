#include "wire.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK      BODY_CHUNK
#define CHUNK_SIZE "8000\r\n" /* CHUNK, as it stands before one */
#define CHUNK_HEAD ((int64_t)sizeof CHUNK_SIZE - 1)
#define CHUNK_WIRE (CHUNK_HEAD + CHUNK + 2)
#define LAST_CHUNK "0\r\n\r\n"

/* A prime: whatever is lost or doubled in blocks of a round size moves what follows. */
#define PERIOD 262139

void (*wire_failing)(const char *message);

void fail(const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (wire_failing != NULL)
        wire_failing(message);
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, message);
    exit(1);
}

struct sockaddr_in wire_address(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[64];
    unsigned port;
    if (sscanf(text, "%63[0-9.]:%u", host, &port) != 2 || port > 65535 ||
        inet_pton(AF_INET, host, &address.sin_addr) != 1)
        fail("no address: %s", text);
    address.sin_port = htons((uint16_t)port);
    return address;
}

int wire_listen(struct sockaddr_in *at)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    socklen_t size = sizeof *at;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)at, size) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)at, &size) != 0)
        fail("cannot listen: %s", strerror(errno));
    return fd;
}

int wire_connect(const struct sockaddr_in *to, int source)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0)
        fail("socket: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (source != 0) {
        struct sockaddr_in from = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(0x7f000000U + (uint32_t)source)};
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (bind(fd, (struct sockaddr *)&from, sizeof from) != 0)
            fail("bind: %s", strerror(errno));
    }
    if (connect(fd, (const struct sockaddr *)to, sizeof *to) != 0 && errno != EINPROGRESS)
        fail("connect: %s", strerror(errno));
    return fd;
}

void wire_raise_limits(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

double wire_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int64_t wire_size(const char *text)
{
    char *end;
    int64_t size = strtoll(text, &end, 10);
    const char *units = "kmg", *unit = *end ? strchr(units, *end) : NULL;
    if (end == text || (*end && (unit == NULL || end[1])))
        fail("no size: %s", text);
    return unit != NULL ? size << 10 * (unit - units + 1) : size;
}

void wire_send(int fd, const void *bytes, size_t n)
{
    ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
    if (sent != (ssize_t)n)
        fail("sent %zd of %zu bytes: %s", sent, n, sent < 0 ? strerror(errno) : "the peer is slow");
}

size_t head_length(const char *bytes, size_t n)
{
    const char *end = memmem(bytes, n, "\r\n\r\n", 4);
    return end != NULL ? (size_t)(end - bytes) + 4 : 0;
}

const char *head_field(const char *head, size_t n, const char *name)
{
    size_t size = strlen(name);
    const char *end = head + n, *line = memchr(head, '\n', n);
    for (; line != NULL; line = memchr(line, '\n', (size_t)(end - line))) {
        line++;
        if ((size_t)(end - line) > size && strncasecmp(line, name, size) == 0 &&
            line[size] == ':') {
            line += size + 1;
            return line + strspn(line, " \t");
        }
    }
    return NULL;
}

bool head_says(const char *head, size_t n, const char *name, const char *value)
{
    const char *at = head_field(head, n, name);
    return at != NULL && strncasecmp(at, value, strlen(value)) == 0;
}

void small_body(char body[SMALL_SIZE], const char *id)
{
    for (size_t at = 0; at < SMALL_SIZE; at += ID_SIZE)
        memcpy(body + at, id, ID_SIZE);
}

/* As of an offset into it; PIECE bytes can be read there. */
static const char *pattern(int64_t at)
{
    static char *bytes;
    if (bytes == NULL) {
        uint32_t x = 1;
        bytes = malloc(PERIOD + PIECE);
        if (bytes == NULL)
            fail("no memory");
        for (size_t i = 0; i < PERIOD; i++) {
            x = x * 1664525 + 1013904223;
            bytes[i] = (char)(x >> 24);
        }
        for (size_t i = PERIOD; i < PERIOD + PIECE; i++)
            bytes[i] = bytes[i - PERIOD];
    }
    return bytes + at % PERIOD;
}

void body_out_begin(struct body_out *b, int64_t size, bool chunked)
{
    if (chunked && size % CHUNK != 0)
        fail("not a number of whole chunks: %lld", (long long)size);
    b->at = 0;
    b->chunks = chunked ? size / CHUNK : 0;
    b->size = chunked ? b->chunks * CHUNK_WIRE + (int64_t)sizeof LAST_CHUNK - 1 : size;
}

static struct iovec plain_part(const struct body_out *b, int64_t at)
{
    int64_t left = b->size - at;
    return (struct iovec){(char *)pattern(at), left < (int64_t)PIECE ? (size_t)left : PIECE};
}

/* What is to be written at that offset: the next part of a chunk, or of the last one. */
static struct iovec chunked_part(const struct body_out *b, int64_t at)
{
    int64_t chunk = at / CHUNK_WIRE, in = at % CHUNK_WIRE;
    if (chunk == b->chunks)
        return (struct iovec){(char *)LAST_CHUNK + in, sizeof LAST_CHUNK - 1 - (size_t)in};
    if (in < CHUNK_HEAD)
        return (struct iovec){(char *)CHUNK_SIZE + in, (size_t)(CHUNK_HEAD - in)};
    in -= CHUNK_HEAD;
    if (in < CHUNK)
        return (struct iovec){(char *)pattern(chunk * CHUNK + in), (size_t)(CHUNK - in)};
    return (struct iovec){(char *)"\r\n" + (in - CHUNK), (size_t)(CHUNK + 2 - in)};
}

bool body_out_write(struct body_out *b, int fd)
{
    while (b->at < b->size) {
        struct iovec parts[BODY_IOVECS];
        int64_t at = b->at, end = b->at + (int64_t)PIECE;
        int count = 0;
        for (; at < b->size && at < end && count < BODY_IOVECS; count++) {
            parts[count] = b->chunks ? chunked_part(b, at) : plain_part(b, at);
            at += (int64_t)parts[count].iov_len;
        }
        ssize_t written = writev(fd, parts, count);
        if (written < 0 && errno == EAGAIN)
            return false;
        if (written < 0)
            fail("a body cannot be written: %s", strerror(errno));
        b->at += written;
    }
    return true;
}

void body_in_begin(struct body_in *b, int64_t size, bool chunked)
{
    *b = (struct body_in){.left = chunked ? 0 : size, .state = chunked ? BODY_SIZE : BODY_PLAIN};
    if (!chunked && size == 0)
        b->state = BODY_OVER;
}

/* Data, as far as it goes. */
static size_t body_in_data(struct body_in *b, const char *bytes, size_t n)
{
    if ((int64_t)n > b->left)
        n = (size_t)b->left;
    if (n > PIECE)
        n = PIECE;
    if (memcmp(bytes, pattern(b->seen), n) != 0)
        fail("a body is not what was sent, within %zu bytes of %lld", n, (long long)b->seen);
    b->seen += (int64_t)n;
    b->left -= (int64_t)n;
    if (b->left == 0)
        b->state = b->state == BODY_PLAIN ? BODY_OVER : BODY_DATA_END;
    return n;
}

/* One byte of chunk framing. */
static void body_in_framing(struct body_in *b, char byte)
{
    if (byte == '\r')
        return;
    if (byte == '\n') {
        if (b->state == BODY_SIZE)
            b->state = b->left > 0 ? BODY_DATA : BODY_TRAILER;
        else
            b->state = b->state == BODY_DATA_END ? BODY_SIZE : BODY_OVER;
        return;
    }
    if (b->state != BODY_SIZE || !isxdigit((unsigned char)byte) || b->left >> 40)
        fail("not a chunk: byte %#x", (unsigned char)byte);
    b->left = b->left * 16 + (isdigit((unsigned char)byte) ? byte - '0' : (byte | 0x20) - 'a' + 10);
}

size_t body_in_take(struct body_in *b, const char *bytes, size_t n)
{
    size_t at = 0;
    while (at < n && b->state != BODY_OVER) {
        if (b->state == BODY_PLAIN || b->state == BODY_DATA)
            at += body_in_data(b, bytes + at, n - at);
        else
            body_in_framing(b, bytes[at++]);
    }
    return at;
}
