/*
 * embedded: the modules of lua/interim/ and scripts/, as CMake wrote them into the program.
 */
#ifndef INTERIM_LUA_EMBEDDED_H
#define INTERIM_LUA_EMBEDDED_H

#include <stddef.h>

struct embedded {
    const char *name; /* "interim.test" */
    const unsigned char *text;
    size_t len;
};

extern const struct embedded embedded[]; /* up to a NULL name */

#endif
