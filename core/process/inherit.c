/*
 * inherit: reads and writes the environment by which sockets are passed on. Promises that a socket
 * which was passed on is either used or spoken of: one that nobody accepts on would leave its
 * clients waiting.
 */
#include "process/inherit.h"

#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST      3 /* SD_LISTEN_FDS_START */
#define PASSED_MAX (SETTINGS_LISTENERS + 1)

/* The name of a socket whose path goes over to the successor; others stay with who made them. */
#define OWNED "interim-owned"
#define LENT  "lent"
/* Likewise, the admin listener: it comes last. */
#define ADMIN_OWNED "interim-admin-owned"
#define ADMIN_LENT  "interim-admin"

#define ANSWER_VARIABLE "INTERIM_UPGRADE_FD"

static int answer_fd = -1;

/* A number in the environment, or -1. */
static int number_of(const char *variable)
{
    const char *text = getenv(variable);
    uint64_t n;
    if (text == NULL || !slice_to_number(slice_of_string(text), &n) || n > INT32_MAX)
        return -1;
    return (int)n;
}

static bool is_listening(int fd)
{
    int on = 0, type = 0;
    socklen_t len = sizeof on, type_len = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on != 0 &&
           getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0 && type == SOCK_STREAM;
}

/* Port 0 asks for any, so any fits. */
static bool fits(const struct addr *asked, const struct addr *bound)
{
    char a[ADDR_TEXT_MAX], b[ADDR_TEXT_MAX];
    if (asked->to.any.sa_family == bound->to.any.sa_family && addr_port(asked) == 0 &&
        asked->to.any.sa_family != AF_UNIX)
        return strcmp(addr_host(asked, a), addr_host(bound, b)) == 0;
    struct addr use = ports_supported(asked);
    return strcmp(addr_text(asked, a), addr_text(bound, b)) == 0 ||
           strcmp(addr_text(&use, a), addr_text(bound, b)) == 0;
}

/* True if it is the socket of the admin listener. */
static bool take_admin(struct ports *out, int fd, bool owned, const struct settings *settings)
{
    struct addr bound = {.len = sizeof bound.to};
    if (settings->admin.len == 0 || out->count > 0 || !is_listening(fd) ||
        getsockname(fd, &bound.to.any, &bound.len) != 0 || !fits(&settings->admin, &bound))
        return false;
    ports_adopt(out, fd, &settings->admin, &bound, owned);
    return true;
}

static bool take(struct ports *out, struct ports *admin, int fd, bool owned,
                 const struct settings *settings, bool *used, char *why, size_t why_size)
{
    char text[ADDR_TEXT_MAX];
    struct addr bound = {.len = sizeof bound.to};
    if (!is_listening(fd) || getsockname(fd, &bound.to.any, &bound.len) != 0) {
        snprintf(why, why_size,
                 "LISTEN_FDS: descriptor %d is no listening stream socket; pass on sockets as "
                 "ListenStream= with Accept=no makes them",
                 fd);
        return false;
    }
    for (size_t i = 0; i < settings->listener_count; i++) {
        const struct addr *asked = &settings->listeners[i];
        if (used[i] || !fits(asked, &bound))
            continue;
        used[i] = true;
        ports_adopt(out, fd, asked, &bound, owned);
        return true;
    }
    /* A service manager has no name for that one. */
    if (take_admin(admin, fd, false, settings))
        return true;
    snprintf(why, why_size,
             answer_fd >= 0 ? "clients are accepted on %s, which `listen` no longer names; reload "
                              "before an upgrade"
                            : "LISTEN_FDS: the socket on %s was passed on, but `listen` does not "
                              "name it; add it there, or stop passing it on",
             addr_text(&bound, text));
    return false;
}

/* The i-th of the names in LISTEN_FDNAMES, which are separated by colons. */
static struct slice name_of(size_t i)
{
    struct slice names = slice_of_string(getenv("LISTEN_FDNAMES"));
    for (; i > 0; i--)
        names = slice_skip(names, slice_find(names, ':') + 1);
    return slice_of(names.at, slice_find(names, ':'));
}

static bool is_admin(struct slice name)
{
    return slice_equals(name, SLICE(ADMIN_OWNED)) || slice_equals(name, SLICE(ADMIN_LENT));
}

bool inherit_ports(struct ports *out, struct ports *admin, const struct settings *settings,
                   char *why, size_t why_size)
{
    int count = number_of("LISTEN_FDS");
    bool ok = true, used[SETTINGS_LISTENERS] = {false};
    *out = *admin = (struct ports){.count = 0};
    if (count <= 0 || number_of("LISTEN_PID") != (int)getpid())
        return true;
    if (count > PASSED_MAX) {
        snprintf(why, why_size, "LISTEN_FDS: %d sockets were passed on; the most is %d", count,
                 PASSED_MAX);
        return false;
    }
    answer_fd = number_of(ANSWER_VARIABLE);
    if (answer_fd >= 0)
        fcntl(answer_fd, F_SETFD, FD_CLOEXEC);
    for (int i = 0; i < count && ok; i++) {
        fcntl(FIRST + i, F_SETFD, FD_CLOEXEC);
        fcntl(FIRST + i, F_SETFL, fcntl(FIRST + i, F_GETFL) | O_NONBLOCK);
        struct slice name = name_of((size_t)i);
        bool owned = slice_equals(name, SLICE(OWNED)) || slice_equals(name, SLICE(ADMIN_OWNED));
        if (!is_admin(name))
            ok = take(out, admin, FIRST + i, owned, settings, used, why, why_size);
        else if (!take_admin(admin, FIRST + i, owned, settings))
            sys_close(FIRST + i); /* the policy no longer wants it, and no client waits there */
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    unsetenv(ANSWER_VARIABLE);
    return ok;
}

/* True: who passed the sockets on has lost patience and goes on by itself; it is still there. */
static bool comes_too_late(void)
{
    char byte;
    return send(answer_fd, INHERIT_DONE, sizeof INHERIT_DONE - 1, MSG_NOSIGNAL) < 0 &&
           recv(answer_fd, &byte, sizeof byte, MSG_DONTWAIT) < 0;
}

bool inherit_done(struct ports *ports, struct ports *admin)
{
    bool ours = answer_fd < 0 || !comes_too_late();
    if (ours) {
        ports_claim(ports);
        ports_claim(admin);
    }
    if (answer_fd >= 0)
        sys_close(answer_fd);
    answer_fd = -1;
    return ours;
}

void inherit_failed(const char *why)
{
    if (answer_fd >= 0)
        (void)!send(answer_fd, why, strlen(why), MSG_NOSIGNAL);
}

static bool set_number(const char *variable, int n)
{
    char text[16];
    snprintf(text, sizeof text, "%d", n);
    return setenv(variable, text, 1) == 0;
}

static bool set_names(const struct ports *ports, const struct ports *admin)
{
    char text[SETTINGS_LISTENERS * sizeof OWNED + sizeof ADMIN_OWNED + 1] = "";
    size_t len = 0;
    for (size_t i = 0; i < ports->count; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i > 0 ? ":" : "",
                                ports->port[i].lent ? LENT : OWNED);
    if (admin->count > 0)
        snprintf(text + len, sizeof text - len, ":%s",
                 admin->port[0].lent ? ADMIN_LENT : ADMIN_OWNED);
    return setenv("LISTEN_FDNAMES", text, 1) == 0;
}

int inherit_leave(const struct ports *ports, const struct ports *admin, int answer)
{
    int count = 0, from[PASSED_MAX + 1], copies[PASSED_MAX + 1];
    for (size_t i = 0; i < ports->count; i++)
        from[count++] = ports->port[i].fd;
    for (size_t i = 0; i < admin->count; i++)
        from[count++] = admin->port[i].fd;
    from[count] = answer;
    /* First out of the way, so that none of them is overwritten. */
    for (int i = 0; i <= count; i++) {
        copies[i] = fcntl(from[i], F_DUPFD_CLOEXEC, FIRST + count + 1);
        if (copies[i] < 0)
            return -1;
    }
    for (int i = 0; i <= count; i++) {
        if (dup2(copies[i], FIRST + i) < 0)
            return -1;
    }
    close_range((unsigned)(FIRST + count + 1), ~0u, 0);
    if (getenv("WATCHDOG_PID") != NULL && !set_number("WATCHDOG_PID", (int)getpid()))
        return -1;
    bool ok = set_number("LISTEN_PID", (int)getpid()) && set_number("LISTEN_FDS", count) &&
              set_names(ports, admin) && set_number(ANSWER_VARIABLE, FIRST + count);
    return ok ? FIRST + count : -1;
}
