/*
 * clocks: the deadlines of one exchange. Which wait each measures: exchange.h and README.md.
 */
#ifndef INTERIM_PROXY_CLOCKS_H
#define INTERIM_PROXY_CLOCKS_H

struct exchange;

/* Once per exchange object; its `proxy` is set. */
void clocks_init(struct exchange *x);

/* None runs from now on. */
void clocks_clear(struct exchange *x);

/* Before the memory goes. */
void clocks_stop(struct exchange *x);

#endif
