#include "work.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "bench_load - does one kind of work through a proxy, and compares every answer\n"
    "\n"
    "Usage:\n"
    "  bench_load WORK TO [OPTION VALUE]...\n"
    "\n"
    "  WORK   get        GET, answered with 128 bytes\n"
    "         newconn    the same, each on a connection of its own\n"
    "         early      GET, answered with 103, then 200\n"
    "         expect     POST of 128 bytes with Expect: 100-continue\n"
    "         download, download-chunked, upload, upload-chunked    one body of --size\n"
    "         echo       64 bytes through a WebSocket tunnel and back\n"
    "         pour       --size bytes down a WebSocket tunnel; drain: up\n"
    "  TO     the proxy's address, as 127.0.0.1:8080\n"
    "\n"
    "Options:\n"
    "  --connections N   at a time (64)\n"
    "  --seconds S       how long (1), or\n"
    "  --count N         how many units of work\n"
    "  --warm S          how long unmeasured before\n"
    "  --size SIZE       of a large body (64m)\n"
    "  --fields N        of a request, Host among them\n"
    "  --bytes N         of a request's fields\n"
    "  --acks ADDRESS    where the origin itself is told that a 103 is there; early needs it\n"
    "  --wait yes        print \"ready\", wait for a line; after the result, for the end of input\n"
    "\n"
    "Prints one line of JSON: count, bytes, seconds; or error, and exits with 1.\n";

static const struct work works[] = {
    {"get", "GET /small/ID HTTP/1.1\r\n", GET, false},
    {"newconn", "GET /small/ID HTTP/1.1\r\nConnection: close\r\n", NEWCONN, false},
    {"early", "GET /early/ID HTTP/1.1\r\n", EARLY, false},
    {"expect", "POST /small/ID HTTP/1.1\r\nExpect: 100-continue\r\n", EXPECT, false},
    {"download", "GET /download/SIZE HTTP/1.1\r\n", DOWNLOAD, false},
    {"download-chunked", "GET /chunked/SIZE HTTP/1.1\r\n", DOWNLOAD, true},
    {"upload", "POST /upload HTTP/1.1\r\n", UPLOAD, false},
    {"upload-chunked", "POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", UPLOAD, true},
    {"echo", "GET /echo HTTP/1.1\r\n", ECHOES, false},
    {"pour", "GET /bulk HTTP/1.1\r\n", POUR, false},
    {"drain", "GET /bulk HTTP/1.1\r\n", DRAIN, false},
};

struct load load = {.connections = 64, .seconds = 1, .count = -1, .size = 64 << 20};

static void add(const char *text)
{
    size_t n = strlen(text);
    if (load.request_size + n >= sizeof load.request)
        fail("the request is too large");
    memcpy(load.request + load.request_size, text, n + 1);
    load.request_size += n;
}

/* The fields that a browser sends; then one filled up to the size that is asked for. */
static void add_bytes(size_t bytes)
{
    static const char *const usual[] = {
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0\r\n",
        "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n",
        "Accept-Language: en-GB,en;q=0.7,de;q=0.3\r\n", "Accept-Encoding: gzip, deflate, br\r\n",
        "Referer: https://app.example/account/overview\r\n"};
    size_t target = (size_t)(strchr(load.request, '\n') + 1 - load.request) + bytes;
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (load.request_size + strlen(usual[i]) + 16 < target)
            add(usual[i]);
    add("Cookie: s=");
    while (load.request_size + 2 < target)
        add("a");
    add("\r\n");
}

static void add_fields(long fields)
{
    char line[64];
    for (long i = 3; i <= fields; i++) {
        snprintf(line, sizeof line, "X-Field-%02ld: the value of field %02ld\r\n", i, i);
        add(line);
    }
}

static void make_request(void)
{
    char line[128], *size;
    bool upload = load.work->kind == UPLOAD && !load.work->chunked;
    strcpy(load.request, load.work->request);
    if ((size = strstr(load.request, "SIZE")) != NULL) {
        char rest[64];
        strcpy(rest, size + 4);
        sprintf(size, "%lld%s", (long long)load.size, rest);
    }
    if ((load.id = strstr(load.request, "ID")) != NULL) {
        memmove(load.id + ID_SIZE, load.id + 2, strlen(load.id + 2) + 1);
        memset(load.id, '0', ID_SIZE);
    }
    load.request_size = strlen(load.request);
    add("Host: app.example\r\nX-Bench: on\r\n");
    if (load.work->kind >= ECHOES)
        add("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: " WS_KEY "\r\n");
    if (upload || load.work->kind == EXPECT) {
        snprintf(line, sizeof line, "Content-Length: %lld\r\n",
                 upload ? (long long)load.size : (long long)SMALL_SIZE);
        add(line);
    }
    add_fields(load.fields);
    if (load.bytes > 0)
        add_bytes((size_t)load.bytes);
    add("\r\n");
}

void load_options(int argc, char **argv)
{
    if (argc < 3) {
        bool asked = argc == 2 && strcmp(argv[1], "--help") == 0;
        fputs(usage, asked ? stdout : stderr);
        exit(asked ? 0 : 2);
    }
    for (size_t i = 0; i < sizeof works / sizeof *works; i++)
        if (strcmp(argv[1], works[i].name) == 0)
            load.work = &works[i];
    if (load.work == NULL)
        fail("unknown work: %s", argv[1]);
    load.to = wire_address(argv[2]);
    load.count = -1;
    for (int i = 3; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        if (strcmp(name, "--connections") == 0)
            load.connections = atol(value);
        else if (strcmp(name, "--seconds") == 0)
            load.seconds = atof(value);
        else if (strcmp(name, "--count") == 0)
            load.count = atol(value);
        else if (strcmp(name, "--warm") == 0)
            load.warm = atof(value);
        else if (strcmp(name, "--size") == 0)
            load.size = wire_size(value);
        else if (strcmp(name, "--fields") == 0)
            load.fields = atol(value);
        else if (strcmp(name, "--bytes") == 0)
            load.bytes = atol(value);
        else if (strcmp(name, "--acks") == 0)
            load.acks = wire_address(value);
        else if (strcmp(name, "--wait") == 0)
            load.waits = true;
        else
            fail("unknown option: %s", name);
    }
    if (load.connections < 1 || load.connections > 65535)
        fail("--connections: 1 to 65535");
    make_request();
}
