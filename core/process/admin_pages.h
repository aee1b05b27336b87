/*
 * admin_pages: what there is on the admin listener, by path.
 */
#ifndef INTERIM_PROCESS_ADMIN_PAGES_H
#define INTERIM_PROCESS_ADMIN_PAGES_H

struct admin_client;

/* Its request is read: answers it, now or later. */
void admin_pages_serve(struct admin_client *c);

#endif
