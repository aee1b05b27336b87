/*
 * client: one downstream connection, speaking HTTP/1.
 *
 * It reads heads and bodies and gives them to an exchange, one exchange at a time; and it writes
 * what the exchange answers. The functions of the second group are all that an exchange knows of
 * its client, so that another protocol can stand in this one's place.
 */
#ifndef INTERIM_PROXY_CLIENT_H
#define INTERIM_PROXY_CLIENT_H

#include "http/fault.h"
#include "http/rewrite.h"
#include "net/deadline.h"
#include "proxy/body.h"

struct exchange;
struct passage;
struct proxy;

enum client_step {
    CLIENT_PROXY, /* a PROXY header is to come, before all else */
    CLIENT_HEAD,  /* between requests, or reading a head */
    CLIENT_BODY,  /* a request body is to come */
    CLIENT_WAIT,  /* the request is read whole, the answer is not over */
    CLIENT_FLUSH, /* the answer is over; not all of it is taken, or there is no turn for more yet */
    CLIENT_LINGER, /* our side is ended; reading and discarding for a moment */
    CLIENT_TUNNEL, /* the connection belongs to a tunnel */
    CLIENT_CLOSED  /* doomed */
};

/* How a client goes on after an exchange. */
enum client_then {
    CLIENT_KEEPS,  /* with the next request, if this one was read whole; else as for CLOSES */
    CLIENT_CLOSES, /* reads and discards for a moment: unread input would reset the answer away */
    CLIENT_PARTS   /* closes: it has said that it sends nothing more */
};

/* Small: most of them are idle most of the time. */
struct client {
    unsigned magic;
    struct conn conn;
    struct doom doom;
    struct list node; /* in proxy.clients or proxy.idle */
    struct proxy *proxy;
    struct peer peer;          /* or whom its PROXY header names */
    struct exchange *exchange; /* NULL between requests, and in a tunnel */
    struct buf in;             /* read and not yet used */
    struct slice *input;       /* what is being worked on; NULL outside */
    struct deadline deadline;  /* of the steps without an exchange; lent to a tunnel */
    union {
        size_t scanned;          /* of an incomplete head */
        size_t discarded;        /* while lingering */
        struct passage *passage; /* in a tunnel */
    };
    uint32_t requests; /* begun on it */
    uint32_t entered;  /* when, the list that it is in: see client_entered */
    enum client_step step : 8;
    enum client_then then : 8;     /* what client_over was told */
    enum framing_kind writing : 8; /* how the response body is framed */
    bool fresh : 1;                /* no request yet */
    bool head_begun : 1;           /* bytes of the next head are here */
    bool ended : 1;                /* the peer ended its sending side */
    bool refused : 1;              /* counted in proxy.refusing */
    bool counted : 1;              /* in proxy.census */
    bool laden : 1;                /* counted in proxy.laden */
};

/* When a client became idle or began a request: monotonic seconds, to a sixteenth. */
double client_entered(const struct client *c);

/* Takes over a connected socket. NULL: no memory; the socket is closed. */
struct client *client_open(struct proxy *p, int fd, const struct addr *peer);

/* Answers a client just opened with a fault's status, whatever it was going to ask, and closes. */
void client_refuse(struct client *c, struct fault fault);

/* Resets a client just opened. */
void client_reset(struct client *c);

/* The client that has been idle for longest, to be closed in favour of a new one. One that was only
 * just accepted has a request on its way and is not it; one that has not taken its last answer is
 * not idle, and is set aside when it is met. NULL: none among the first few. */
struct client *client_that_yields(struct proxy *p);

/* For a drain: closes an idle client, or lets one ask once that was only just accepted or has sent
 * a request already. */
void client_retire(struct client *c);

/* Closes at once, whatever is under way. */
void client_kill(struct client *c);

/* ---- for the exchange ---- */

/* Body bytes, or bytes behind the head, have arrived and were not used yet. */
bool client_has_input(const struct client *c);

/* Likewise, and those are counted that were not even read. */
bool client_has_sent(struct client *c);

/* Everything sent so far was taken; while not, nothing more should be read for this client. */
bool client_is_blocked(struct client *c);

/* A 1xx other than 101: false when its head cannot be written anew. */
bool client_interim(struct client *c, const struct head *head, struct slice via);
void client_continue(struct client *c); /* our own 100 */

/* The final head: false when it cannot be written. */
bool client_begin(struct client *c, const struct rewrite_response *r);
void client_body(struct client *c, const struct slice *data, size_t count);
void client_end(struct client *c, struct slice trailers);

/* Where body bytes may be passed unread, in the place of client_body. */
struct body_way client_way(struct client *c);

/* A checked 101; then its connection may be given to a tunnel. *early is what the client sent
 * behind its head; it lives until client_forget_early. False when the head cannot be written. */
bool client_switch(struct client *c, const struct head *head, struct slice via,
                   struct passage *passage, struct slice *early);
void client_forget_early(struct client *c);

/* The exchange can take body bytes again. */
void client_resume(struct client *c);

/* The exchange is over. */
void client_over(struct client *c, enum client_then then);

/* The response cannot be completed: the connection ends so that it shows; client_over follows. */
void client_cut(struct client *c);

#endif
