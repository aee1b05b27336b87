/*
 * settings: everything an operator can set, as plain data.
 *
 * Filled once from the command line or a policy file, checked whole, then never changed: a reload
 * makes another one. It holds no pointers, so the loader writes it into a sealed memory file and
 * the workers map it: all of them share one copy and cannot disagree.
 *
 * Times are seconds, sizes are bytes, 0 means off where the comment says so.
 */
#ifndef INTERIM_PROXY_SETTINGS_H
#define INTERIM_PROXY_SETTINGS_H

#include "net/addr.h"
#include "net/proxy_header.h"

#define SETTINGS_LISTENERS 32
#define SETTINGS_UPSTREAMS 64
#define SETTINGS_ADDRESSES 256 /* of all upstreams together */
#define SETTINGS_NETWORKS  64
#define SETTINGS_NAME_MAX  64 /* its NUL included */
#define SETTINGS_WORKERS   256

/* Deadlines; each kind's meaning, default and answer: settings.c and core/README.md. */
struct timeouts {
    double header;
    double idle;
    double body;
    double connect;
    double send;
    double response;
    double processing;
    double exchange;
    double stall;
    double half_close;
    double tunnel;
    double hook;
    double continue_; /* send our own 100 after an origin's silence; 0: off. Policy: `continue` */
    double linger;    /* how long a closing connection reads and discards */
    double upstream_idle;     /* an idle pooled connection is closed after this */
    bool processing_restarts; /* each further 102 restarts `processing` */
};

struct limits {
    size_t request_line;
    size_t head;
    size_t fields;
    size_t interim;                 /* interim responses of one exchange */
    size_t interim_bytes;           /* their heads together */
    size_t linger_bytes;            /* what a closing connection reads and discards */
    size_t upstream_idle;           /* idle pooled connections per address and worker */
    size_t policy_memory;           /* of one loaded policy */
    double hook_cpu;                /* seconds on the CPU that a hook may take at a stretch */
    size_t generations;             /* loaded policies alive at once */
    size_t connections;             /* of clients, in all workers together */
    size_t connections_per_address; /* of one client address, in one worker; 0: any number */
    size_t requests;                /* on one client connection; 0: any number */
    size_t buffered; /* output waiting for slow peers, in one worker, before less is read at once */
};

enum balance { BALANCE_ROUND_ROBIN, BALANCE_LEAST };

struct settings_upstream {
    char name[ADDR_TEXT_MAX]; /* an address given in place of a name is its own name */
    size_t first;             /* in settings.addresses */
    size_t count;
    enum balance balance;
    struct timeouts timeouts;          /* the general ones, save those given for this upstream */
    enum proxy_version proxy_protocol; /* said to it on every connection, which then is used once */
};

enum statuses { STATUSES_DEFAULT, STATUSES_STANDARD, STATUSES_CLOUDFLARE };
enum log_form { LOG_FORM_TEXT, LOG_FORM_JSON, LOG_FORM_NONE };

struct settings {
    struct addr listeners[SETTINGS_LISTENERS];
    size_t listener_count;
    struct settings_upstream upstreams[SETTINGS_UPSTREAMS];
    size_t upstream_count;
    struct addr addresses[SETTINGS_ADDRESSES];
    size_t address_count;
    int upstream;     /* the default: index, or -1: none */
    unsigned workers; /* 0: one per CPU, until config_settle has worked that out */
    struct timeouts timeouts;
    struct limits limits;
    enum statuses statuses;
    enum log_form access_log;
    struct addr admin; /* len 0: none */
    bool admin_public; /* it may be reached from other machines */
    struct addr_net trusted[SETTINGS_NETWORKS];
    size_t trusted_count;
    bool proxy_protocol;         /* trusted peers begin their connections with a PROXY header */
    char via[SETTINGS_NAME_MAX]; /* "": no Via at all */
    bool via_responses;
    bool on_error_default; /* a failing hook: true fails open */
    double drain;
    char user[SETTINGS_NAME_MAX]; /* "": "nobody" when started as root */
    bool jit;
    unsigned allow; /* bits of settings_allow_bit, from the command line alone: a policy cannot lift
                       what contains it */
};

/* What is kept from policies unless the operator allows it by name. */
#define SETTINGS_ALLOWABLE(X)                                                                      \
    X(IO, "io")                                                                                    \
    X(OS, "os")                                                                                    \
    X(FFI, "ffi")                                                                                  \
    X(JIT, "jit")                                                                                  \
    X(DEBUG, "debug")                                                                              \
    X(LOAD, "load")

#define SETTINGS_ALLOWABLE_INDEX(name, text) SETTINGS_ALLOWABLE_##name,
enum settings_allowable { SETTINGS_ALLOWABLE(SETTINGS_ALLOWABLE_INDEX) SETTINGS_ALLOWABLE_COUNT };

/* The bit of a name in `allow`; 0 for one that is not in the list. */
unsigned settings_allow_bit(struct slice name);

/* Adds the bits of names, separated by commas, as `--allow` has them. False with a message. */
bool settings_read_allow(struct slice names, unsigned *allow, char *why, size_t why_size);

static inline bool settings_allows(const struct settings *s, enum settings_allowable what)
{
    return (s->allow & 1u << what) != 0;
}

void settings_default(struct settings *s);

/* One worker's share of what is a limit of all of them; rounded up. */
size_t settings_share(const struct settings *s, size_t limit);

/* The upstream of that name: its index, or -1. */
int settings_find_upstream(const struct settings *s, struct slice name);

/*
 * Adds an upstream with no addresses yet (timeouts: a copy of the general ones as they are now);
 * index, or -1 with a message: the table is full or the name is too long or taken.
 */
int settings_add_upstream(struct settings *s, struct slice name, char *why, size_t why_size);

/* Adds an address (a host name may give several) to the upstream added last. False: message. */
bool settings_add_address(struct settings *s, struct slice text, char *why, size_t why_size);

bool settings_add_listener(struct settings *s, struct slice text, char *why, size_t why_size);

/* The checks that concern several fields: at least one listener, no upstream without an address. */
bool settings_check(const struct settings *s, char *why, size_t why_size);

bool settings_trusts(const struct settings *s, const struct addr *peer);

#endif
