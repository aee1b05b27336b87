/*
 * parser: http-parser as the second reader of a head.
 *
 * The library is lenient, and its opinion about bodies, upgrades and connections is not asked: it
 * reads heads that lint passed, and says whether it sees the same spans. It is shown "GET" in the
 * place of the method, because it refuses methods it does not know, and field names that make it
 * judge the length of a body begin with another letter, because that is framing.c's to judge.
 */
#ifndef INTERIM_HTTP_PARSER_H
#define INTERIM_HTTP_PARSER_H

#include "http/lint.h"

/* True if http-parser reads this complete head just as lint did. */
bool parser_agrees_on_request(struct slice bytes, const struct lint_head *lint);
bool parser_agrees_on_response(struct slice bytes, const struct lint_head *lint);

#endif
