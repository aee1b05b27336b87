/*
 * desk: lets visitors in, hears what they want, tells them how it went. Promises that what a
 * visitor does, or leaves undone, costs the parent no more than a descriptor.
 */
#include "process/desk.h"

#include "base/sys.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void dismiss(struct desk_visitor *visitor)
{
    ev_io_stop(visitor->desk->loop, &visitor->io);
    sys_close(visitor->fd);
    visitor->fd = -1;
}

void desk_tell(struct desk_visitor *visitor, bool ok, const char *text)
{
    char packet[DESK_TEXT_MAX];
    int len = snprintf(packet, sizeof packet, "%c%s", ok ? '+' : '-', text);
    if (len >= (int)sizeof packet)
        len = sizeof packet - 1;
    /* It may have left. */
    (void)!send(visitor->fd, packet, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
    dismiss(visitor);
}

static bool is_allowed(int fd)
{
    struct ucred who;
    socklen_t len = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
           (who.uid == 0 || who.uid == geteuid());
}

static void on_word(struct ev_loop *loop, struct ev_io *io, int events)
{
    struct desk_visitor *visitor = io->data;
    char word[16];
    (void)loop;
    (void)events;
    ssize_t got = sys_recv(visitor->fd, word, sizeof word - 1);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return;
    if (got <= 0 || visitor->wish != CLI_HELP) {
        dismiss(visitor);
        return;
    }
    word[got] = '\0';
    if (!is_allowed(visitor->fd)) {
        desk_tell(visitor, false, "only root and the user it runs as may ask for that");
        return;
    }
    if (strcmp(word, "reload") == 0)
        visitor->wish = CLI_RELOAD;
    else if (strcmp(word, "upgrade") == 0)
        visitor->wish = CLI_UPGRADE;
    else if (strcmp(word, "admin") == 0)
        visitor->wish = CLI_STATUS;
    if (visitor->wish == CLI_HELP)
        desk_tell(visitor, false, "this version of interim cannot do that");
    else
        visitor->desk->asked(visitor->desk->arg, visitor);
}

/* Its word is taken off first: unread, it would keep the answer from it. */
static void turn_away(int fd)
{
    static const char text[] = "-too many wait for an answer already; try again";
    char word[16];
    (void)!recv(fd, word, sizeof word, MSG_DONTWAIT);
    (void)!send(fd, text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    sys_close(fd);
}

/* A free place, or that of who has stood there longest without a word; NULL when all have a wish.
 */
static struct desk_visitor *find_place(struct desk *desk)
{
    struct desk_visitor *silent = NULL;
    for (size_t i = 0; i < DESK_VISITORS; i++) {
        struct desk_visitor *visitor = &desk->visitors[i];
        if (visitor->fd < 0)
            return visitor;
        if (visitor->wish == CLI_HELP && (silent == NULL || visitor->came < silent->came))
            silent = visitor;
    }
    if (silent != NULL)
        dismiss(silent);
    return silent;
}

static void on_visitor(struct ev_loop *loop, struct ev_io *io, int events)
{
    struct desk *desk = io->data;
    (void)events;
    int fd = sys_accept(desk->fd, NULL, NULL);
    if (fd < 0)
        return;
    struct desk_visitor *visitor = find_place(desk);
    if (visitor == NULL) {
        turn_away(fd);
        return;
    }
    visitor->fd = fd;
    visitor->came = ++desk->came;
    visitor->wish = CLI_HELP;
    ev_io_set(&visitor->io, fd, EV_READ);
    ev_io_start(loop, &visitor->io);
}

socklen_t desk_address(pid_t pid, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    int len = snprintf(out->sun_path + 1, sizeof out->sun_path - 1, DESK_NAME "%d", (int)pid);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
}

bool desk_open(struct desk *desk, struct ev_loop *loop,
               void (*asked)(void *arg, struct desk_visitor *visitor), void *arg)
{
    struct sockaddr_un address;
    socklen_t len = desk_address(getpid(), &address);
    *desk = (struct desk){.loop = loop, .asked = asked, .arg = arg};
    ev_init(&desk->io, on_visitor);
    desk->io.data = desk;
    for (size_t i = 0; i < DESK_VISITORS; i++) {
        struct desk_visitor *visitor = &desk->visitors[i];
        visitor->desk = desk;
        visitor->fd = -1;
        ev_init(&visitor->io, on_word);
        visitor->io.data = visitor;
    }
    desk->fd = sys_socket(AF_UNIX, SOCK_SEQPACKET);
    if (desk->fd < 0)
        return false;
    if (bind(desk->fd, (struct sockaddr *)&address, len) != 0 || listen(desk->fd, 8) != 0) {
        int error = errno;
        sys_close(desk->fd);
        desk->fd = -1;
        errno = error;
        return false;
    }
    ev_io_set(&desk->io, desk->fd, EV_READ);
    ev_io_start(loop, &desk->io);
    return true;
}

void desk_close(struct desk *desk)
{
    for (size_t i = 0; desk->loop != NULL && i < DESK_VISITORS; i++) {
        if (desk->visitors[i].fd >= 0)
            desk_tell(&desk->visitors[i], false, "it has stopped");
    }
    if (desk->loop == NULL || desk->fd < 0)
        return;
    ev_io_stop(desk->loop, &desk->io);
    sys_close(desk->fd);
    desk->fd = -1;
}

void desk_tell_all(struct desk *desk, enum cli_command wish, uint64_t turn, bool ok,
                   const char *text)
{
    for (size_t i = 0; i < DESK_VISITORS; i++) {
        struct desk_visitor *visitor = &desk->visitors[i];
        if (visitor->fd >= 0 && visitor->wish == wish && visitor->turn <= turn)
            desk_tell(visitor, ok, text);
    }
}
