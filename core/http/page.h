/*
 * page: the answers that the proxy makes itself.
 */
#ifndef INTERIM_HTTP_PAGE_H
#define INTERIM_HTTP_PAGE_H

#include "base/arena.h"
#include "http/head.h"

enum page_form { PAGE_HTML, PAGE_JSON, PAGE_TEXT };

/* The form a client asks for (Accept, RFC 9110 section 12.5.1, quality values honoured). Without
 * the field, or with a wildcard that wins: text. A tie goes to HTML, then JSON, then text. */
enum page_form page_choose(const struct head *request);

/* A short sentence for people about a status ("The origin did not answer in time."). */
const char *page_sentence(int status);

/*
 * A built-in page: fills head (status, reason, Content-Type, Cache-Control: no-store; Allow for
 * 405) and *body. `detail` may be empty; it is cut at 1 KiB and escaped for the form, what is not
 * printable ASCII becomes '?'. `id` is the request's id, which needs no escaping (http/trace);
 * empty for none. False when memory is out.
 */
bool page_make(struct head *head, struct slice *body, struct arena *arena, enum page_form form,
               int status, struct slice detail, struct slice id);

#endif
