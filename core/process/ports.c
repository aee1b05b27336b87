/*
 * ports: binds. Owns the listening sockets and the paths of unix ones, and the advice that an
 * operator gets when a bind fails. The workers accept on them: see worker.
 */
#include "process/ports.h"

#include "base/sys.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_MILLISECONDS 200
#define PORTS_BACKLOG     4096 /* the kernel lowers it to net.core.somaxconn */

/* What the unit that is installed has a socket's folder made by. */
#define SERVICE                                                                                    \
    " (a service has /run/interim for its sockets, if its unit says RuntimeDirectory=interim)"

static bool fail(char *why, size_t why_size, const struct addr *a)
{
    char text[ADDR_TEXT_MAX];
    int error = errno;
    const char *advice = "";
    if (error == EADDRINUSE && a->to.any.sa_family == AF_UNIX)
        advice = "; a program answers on it, or it is not a socket";
    else if (error == EADDRINUSE)
        advice = "; stop the program that holds it (`ss -lntp` shows it) or listen elsewhere";
    else if (error == EACCES && a->to.any.sa_family == AF_UNIX)
        advice = "; the folder must be writable for this user" SERVICE;
    else if (error == EROFS)
        advice = "; nothing can be made there" SERVICE;
    else if (error == EACCES)
        advice = "; ports below 1024 need root or CAP_NET_BIND_SERVICE";
    else if (error == EADDRNOTAVAIL)
        advice = "; no interface of this machine has that address";
    else if (error == ENOENT && a->to.any.sa_family == AF_UNIX)
        advice = "; its folder does not exist" SERVICE;
    snprintf(why, why_size, "cannot listen on %s: %s%s", addr_text(a, text), strerror(error),
             advice);
    return false;
}

/* Of those that start at the same time on one path, one looks at it and binds it at a time. Anybody
 * may hold such a lock, so it is waited for no longer than that takes. The descriptor holds it; -1:
 * the folder cannot be read, and there is none. */
static int lock_folder(const char *path)
{
    char folder[sizeof((struct sockaddr_un *)0)->sun_path];
    const char *name = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", name != NULL ? (int)(name - path) + 1 : 1,
             name != NULL ? path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; fd >= 0 && i < LOCK_MILLISECONDS; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
            break;
        usleep(1000);
    }
    return fd;
}

/* True when the path is free: it never existed, or was left behind and is removed now. */
static bool clear_path(const struct addr *a)
{
    struct stat st;
    if (lstat(a->to.local.sun_path, &st) != 0)
        return errno == ENOENT;
    errno = EADDRINUSE;
    if (!S_ISSOCK(st.st_mode))
        return false;
    int probe = sys_socket(AF_UNIX, SOCK_STREAM);
    if (probe < 0)
        return false;
    bool stale = sys_connect(probe, &a->to.any, a->len) != 0 && errno == ECONNREFUSED;
    sys_close(probe);
    errno = EADDRINUSE;
    return stale && unlink(a->to.local.sun_path) == 0;
}

static const char *path_of(const struct port *port)
{
    return port->asked.to.any.sa_family == AF_UNIX ? port->asked.to.local.sun_path : NULL;
}

/* What is there now is this port's. */
static void know_path(struct port *port)
{
    const char *path = path_of(port);
    struct stat st;
    if (path == NULL || lstat(path, &st) != 0)
        return;
    port->device = st.st_dev;
    port->inode = st.st_ino;
}

static void remove_path(const struct port *port)
{
    const char *path = path_of(port);
    struct stat st;
    if (path != NULL && lstat(path, &st) == 0 && st.st_dev == port->device &&
        st.st_ino == port->inode)
        unlink(path);
}

/* Beside a listener of its own for IPv4 on the same port, [::] must leave IPv4 alone. */
static bool has_ip4_twin(const struct settings *s, const struct addr *a)
{
    for (size_t i = 0; i < s->listener_count; i++) {
        const struct addr *other = &s->listeners[i];
        if (other->to.any.sa_family == AF_INET && addr_port(other) != 0 &&
            addr_port(other) == addr_port(a))
            return true;
    }
    return false;
}

static bool prepare_socket(int fd, const struct settings *s, const struct addr *a)
{
    int on = 1;
    if (a->to.any.sa_family == AF_UNIX)
        return clear_path(a);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
        return false;
    if (a->to.any.sa_family != AF_INET6)
        return true;
    int only = has_ip4_twin(s, a);
    return setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) == 0;
}

struct addr ports_supported(const struct addr *a)
{
    if (a->to.any.sa_family != AF_INET6 || !IN6_IS_ADDR_UNSPECIFIED(&a->to.ip6.sin6_addr))
        return *a;
    int probe = sys_socket(AF_INET6, SOCK_STREAM);
    if (probe >= 0)
        sys_close(probe);
    if (probe >= 0 || errno != EAFNOSUPPORT)
        return *a;
    struct addr ip4 = {.len = sizeof ip4.to.ip4};
    ip4.to.ip4.sin_family = AF_INET;
    ip4.to.ip4.sin_port = a->to.ip6.sin6_port;
    return ip4;
}

static uint32_t next_id(void)
{
    static uint32_t last;
    return ++last;
}

static bool bind_port(struct port *port, const struct settings *s, const struct addr *asked)
{
    struct addr use = ports_supported(asked);
    const struct addr *a = &use;
    int fd = sys_socket(a->to.any.sa_family, SOCK_STREAM);
    if (fd < 0)
        return false;
    *port = (struct port){.asked = *asked, .fd = fd};
    port->bound.len = sizeof port->bound.to;
    bool bound = prepare_socket(fd, s, a) && bind(fd, &a->to.any, a->len) == 0;
    const char *path = path_of(port);
    if (bound)
        know_path(port);
    if (bound && getsockname(fd, &port->bound.to.any, &port->bound.len) == 0 &&
        (path == NULL || chmod(path, 0666) == 0) && listen(fd, PORTS_BACKLOG) == 0) {
        port->id = next_id();
        return true;
    }
    int error = errno;
    if (bound)
        remove_path(port);
    sys_close(fd);
    errno = error;
    return false;
}

static bool open_port(struct port *port, const struct settings *s, const struct addr *asked)
{
    bool local = asked->to.any.sa_family == AF_UNIX;
    int lock = local ? lock_folder(asked->to.local.sun_path) : -1;
    bool ok = bind_port(port, s, asked);
    int error = errno;
    if (lock >= 0)
        sys_close(lock);
    errno = error;
    return ok;
}

/* Port 0 may be asked for twice, so a port that is in `taken` already is not handed out again. */
static const struct port *find_old(const struct ports *old, const struct addr *a,
                                   const struct ports *taken)
{
    for (size_t i = 0; old != NULL && i < old->count; i++) {
        if (addr_equals(&old->port[i].asked, a) && !ports_has(taken, old->port[i].id))
            return &old->port[i];
    }
    return NULL;
}

static bool open_all(struct ports *out, const struct settings *settings, const struct addr *wanted,
                     size_t count, const struct ports *old, char *why, size_t why_size)
{
    *out = (struct ports){.count = 0};
    for (size_t i = 0; i < count; i++) {
        const struct addr *a = &wanted[i];
        const struct port *same = find_old(old, a, out);
        if (same != NULL) {
            out->port[out->count++] = *same;
        } else if (open_port(&out->port[out->count], settings, a)) {
            out->count++;
        } else {
            fail(why, why_size, a);
            ports_close_except(out, old);
            return false;
        }
    }
    return true;
}

bool ports_open(struct ports *out, const struct settings *settings, const struct ports *old,
                char *why, size_t why_size)
{
    return open_all(out, settings, settings->listeners, settings->listener_count, old, why,
                    why_size);
}

bool ports_open_admin(struct ports *out, const struct settings *settings, const struct ports *old,
                      char *why, size_t why_size)
{
    return open_all(out, settings, &settings->admin, settings->admin.len > 0, old, why, why_size);
}

void ports_adopt(struct ports *ports, int fd, const struct addr *asked, const struct addr *bound,
                 bool owned)
{
    assert(ports->count < SETTINGS_LISTENERS);
    struct port *port = &ports->port[ports->count++];
    *port = (struct port){.asked = *asked,
                          .bound = *bound,
                          .id = next_id(),
                          .fd = fd,
                          .lent = true,
                          .claimed = owned};
    know_path(port);
}

void ports_claim(struct ports *ports)
{
    for (size_t i = 0; i < ports->count; i++) {
        if (ports->port[i].claimed)
            ports->port[i].lent = ports->port[i].claimed = false;
    }
}

void ports_lend(struct ports *ports)
{
    for (size_t i = 0; i < ports->count; i++)
        ports->port[i].lent = true;
}

bool ports_has(const struct ports *ports, uint32_t id)
{
    for (size_t i = 0; i < ports->count; i++) {
        if (ports->port[i].id == id)
            return true;
    }
    return false;
}

void ports_close_except(struct ports *ports, const struct ports *kept)
{
    for (size_t i = 0; i < ports->count; i++) {
        struct port *port = &ports->port[i];
        if (kept != NULL && ports_has(kept, port->id))
            continue;
        if (!port->lent)
            remove_path(port);
        sys_close(port->fd);
    }
    ports->count = 0;
}
