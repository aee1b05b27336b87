/*
 * schema: reads a Lua table by a table of rules: which keys there are, of what type, within which
 * bounds, and where their values go.
 */
#ifndef INTERIM_LUA_SCHEMA_H
#define INTERIM_LUA_SCHEMA_H

#include "base/buf.h"
#include "proxy/settings.h"

#include <lua.h>

/* A reading under way. */
struct schema {
    lua_State *L;
    const char *file;
    struct settings *settings;
    struct buf *errors;
    char path[256]; /* of the value being read: "timeouts.connect" */
    size_t failures;
    /* For a key that is unknown: what it may have been meant for elsewhere, or NULL. */
    const char *(*explain)(struct slice key);
};

enum schema_kind {
    SCHEMA_SECONDS, /* double */
    SCHEMA_BYTES,   /* size_t */
    SCHEMA_COUNT,   /* size_t */
    SCHEMA_FLAG,    /* bool */
    SCHEMA_CHOICE,  /* an enum, numbered as `choices` */
    SCHEMA_CUSTOM,  /* `read` */
    SCHEMA_HOOK,    /* a function; not stored */
};

struct schema_rule {
    const char *key;
    enum schema_kind kind;
    size_t offset;              /* of the member in the struct that `base` points to */
    double least, most;         /* SECONDS, BYTES, COUNT */
    const char *const *choices; /* up to NULL */
    void (*read)(struct schema *s, int index); /* CUSTOM: the value; never nil */
};

/* Reads the table at `index` into the struct at `base`; keys in the order of the rules. */
void schema_read(struct schema *s, int index, const struct schema_rule *rules, size_t count,
                 void *base);

/* Adds an error about the value at the path. */
void schema_complain(struct schema *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Goes one key down, or one place in a list; returns what schema_leave needs to come back. */
size_t schema_enter(struct schema *s, const char *key);
size_t schema_enter_item(struct schema *s, int item);
void schema_leave(struct schema *s, size_t mark);

/*
 * Calls `read` for a value of type string, or for each of a list of them; numbers are taken as text
 * when `numbers` is true. Complains about anything else, a list with a hole included.
 */
void schema_each(struct schema *s, int index, bool numbers, const char *wanted,
                 void (*read)(struct schema *s, struct slice text));

/*
 * Pushes a list of the string keys of the table at `index`, in the order of their bytes, and
 * returns how many. Complains about keys of another type, and of names that are too many: then it
 * is empty.
 */
int schema_push_keys(struct schema *s, int index);

/* A string at `index`; borrowed from Lua. */
struct slice schema_text(const struct schema *s, int index);

#endif
