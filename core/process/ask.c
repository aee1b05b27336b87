/*
 * ask: the other side of the desk. Anybody may open a socket with such a name. Promises to ask only
 * who is, by the kernel's word, the process that the name claims, and is root's or this user's;
 * root asks a service's as well, and any other user's if it names that process itself.
 */
#include "process/ask.h"

#include "base/output.h"
#include "base/sys.h"
#include "process/desk.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ASK_FOUND_MAX 16
#define SERVICE_NAME  "interim-" /* and the name of an instance */

/* From a line of /proc/self/net/unix: the process whose desk it is; 0: it is none. The abstract
 * namespace shows as '@'; connections that were accepted there show the same name. */
static pid_t desk_of_line(const char *line)
{
    const char *name = strrchr(line, '@');
    uint64_t pid;
    if (name == NULL || strncmp(name + 1, DESK_NAME, sizeof DESK_NAME - 1) != 0)
        return 0;
    struct slice digits = slice_trim(slice_of_string(name + sizeof DESK_NAME));
    if (digits.len > 0 && digits.at[digits.len - 1] == '\n')
        digits.len--;
    return slice_to_number(digits, &pid) && pid < INT32_MAX ? (pid_t)pid : 0;
}

/* The desk of a process, and who is behind it; -1 with errno. With SOCK_NONBLOCK as `flags` it is
 * not waited for: a stranger's might let nobody in. */
static int open_desk(pid_t pid, struct ucred *who, int flags)
{
    struct sockaddr_un address;
    socklen_t len = desk_address(pid, &address), who_len = sizeof *who;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
    if (fd >= 0 && sys_connect(fd, (struct sockaddr *)&address, len) == 0 &&
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, who, &who_len) == 0)
        return fd;
    int error = errno;
    if (fd >= 0)
        sys_close(fd);
    errno = error;
    return -1;
}

/* Whose folder root's service manager has made for a service of that name (RuntimeDirectory=): it
 * made a user for it, too, and nobody else can make one there. */
static bool is_of_service(const struct ucred *who)
{
    struct stat st;
    struct dirent *entry;
    bool found = false;
    DIR *run = opendir("/run");
    if (run == NULL)
        return false;
    bool safe = fstat(dirfd(run), &st) == 0 && st.st_uid == 0 && (st.st_mode & 022) == 0;
    while (safe && !found && (entry = readdir(run)) != NULL) {
        bool named = strcmp(entry->d_name, "interim") == 0 ||
                     strncmp(entry->d_name, SERVICE_NAME, sizeof SERVICE_NAME - 1) == 0;
        found = named && fstatat(dirfd(run), entry->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode) &&
                st.st_uid == who->uid;
    }
    closedir(run);
    return found;
}

static bool is_ours(const struct ucred *who)
{
    return who->uid == 0 || who->uid == geteuid() || (geteuid() == 0 && is_of_service(who));
}

enum owner { OWNER_NONE, OWNER_OURS, OWNER_STRANGER };

/* One that lets nobody in may be ours and busy: it is not passed over in favour of another. */
static enum owner owner_of_desk(pid_t pid)
{
    struct ucred who;
    int fd = open_desk(pid, &who, SOCK_NONBLOCK);
    if (fd < 0)
        return errno == EAGAIN ? OWNER_OURS : OWNER_NONE;
    sys_close(fd);
    if (who.pid != pid)
        return OWNER_NONE;
    return is_ours(&who) ? OWNER_OURS : OWNER_STRANGER;
}

/* *stranger is one that is another user's, or 0. */
static size_t find_all(pid_t found[ASK_FOUND_MAX], pid_t *stranger)
{
    char line[512];
    size_t count = 0;
    *stranger = 0;
    FILE *list = fopen("/proc/self/net/unix", "re");
    if (list == NULL)
        return 0;
    while (count < ASK_FOUND_MAX && fgets(line, sizeof line, list) != NULL) {
        pid_t pid = desk_of_line(line);
        bool known = pid == 0;
        for (size_t i = 0; i < count && !known; i++)
            known = found[i] == pid;
        enum owner owner = known ? OWNER_NONE : owner_of_desk(pid);
        if (owner == OWNER_OURS)
            found[count++] = pid;
        else if (owner == OWNER_STRANGER)
            *stranger = pid;
    }
    fclose(list);
    return count;
}

static pid_t find_only(const char *word)
{
    pid_t found[ASK_FOUND_MAX], stranger;
    size_t count = find_all(found, &stranger);
    if (count == 1)
        return found[0];
    if (count == 0) {
        fprintf(stderr, "interim: no interim is running here");
        if (stranger != 0)
            fprintf(stderr,
                    " as root or as this user; another user's process %d says that it is one",
                    (int)stranger);
        if (stranger != 0 && geteuid() == 0)
            fprintf(stderr, ": if you know it, say so: interim %s %d", word, (int)stranger);
        fprintf(stderr, "\n");
        return 0;
    }
    fprintf(stderr, "interim: several are running: say which by its process id: interim %s %d",
            word, (int)found[0]);
    for (size_t i = 1; i < count; i++)
        fprintf(stderr, "%s%d", i + 1 < count ? ", " : " or ", (int)found[i]);
    fprintf(stderr, "\n");
    return 0;
}

/* -1 with a message. */
static int visit(pid_t pid)
{
    struct ucred who;
    int fd = open_desk(pid, &who, 0);
    if (fd < 0) {
        if (errno == ECONNREFUSED)
            fprintf(stderr, "interim: process %d is not the parent of a running interim\n",
                    (int)pid);
        else
            fprintf(stderr, "interim: cannot ask process %d: %s\n", (int)pid, strerror(errno));
        return -1;
    }
    if (who.pid == pid && (is_ours(&who) || geteuid() == 0))
        return fd;
    if (who.pid != pid)
        fprintf(stderr, "interim: process %d is not the one that answers in its name\n", (int)pid);
    else
        fprintf(
            stderr,
            "interim: process %d is another user's: only root and the user it runs as may ask\n",
            (int)pid);
    sys_close(fd);
    return -1;
}

bool ask_parent(int pid, const char *command, const char *word, char *text, size_t size)
{
    char packet[DESK_TEXT_MAX];
    if (pid == 0)
        pid = find_only(command);
    int fd = pid != 0 ? visit(pid) : -1;
    if (fd < 0)
        return false;
    ssize_t got = -1;
    /* Should it have turned us away already, its reason can still be read. */
    (void)!send(fd, word, strlen(word), MSG_NOSIGNAL);
    do
        got = recv(fd, packet, sizeof packet - 1, 0);
    while (got < 0 && errno == EINTR);
    packet[got > 0 ? got : 0] = '\0';
    sys_close(fd);
    if (got > 0 && packet[0] == '+') {
        snprintf(text, size, "%s", packet + 1);
        return true;
    }
    fprintf(stderr, "interim: ");
    output_foreign(stderr, got > 0 ? packet + 1 : "it ended before it answered");
    fprintf(stderr, "\n");
    return false;
}

int ask_run(const struct cli *cli)
{
    char text[ASK_TEXT_MAX];
    const char *word = cli->command == CLI_RELOAD ? "reload" : "upgrade";
    if (!ask_parent(cli->pid, word, word, text, sizeof text))
        return EXIT_FAILURE;
    output_foreign(stdout, text);
    printf("\n");
    return output_end(EXIT_SUCCESS);
}
