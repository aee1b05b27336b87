/*
 * target: the forms of a request target (RFC 9112 section 3.2) and the syntax of an authority.
 */
#ifndef INTERIM_HTTP_TARGET_H
#define INTERIM_HTTP_TARGET_H

#include "base/slice.h"
#include "http/fault.h"

/* The parts of a target, borrowed from it or literals. */
struct target {
    struct slice path;      /* starts with '/', or is "*" */
    struct slice query;     /* behind '?'; `at` NULL when there is no '?' */
    struct slice authority; /* of an absolute-form; else empty, which that form never is */
};

/*
 * Takes a target apart whose bytes lint_is_target allows: origin-form, absolute-form of http or
 * https without userinfo, or "*" for OPTIONS. Anything else is a 400. An absolute-form without a
 * path gives "/", or "*" for OPTIONS without a query (RFC 9112 section 3.2.4).
 */
struct fault target_read(struct target *out, struct slice method, struct slice target);

/*
 * True if `s` is uri-host [":" port] and the host is not empty (RFC 3986 section 3.2.2): a name or
 * IPv4 address, or an IPv6 address in brackets. A port is digits up to 65535, or nothing. Address
 * formats of the future ("[v1.x]") and zones are refused.
 */
bool target_is_authority(struct slice s);

#endif
