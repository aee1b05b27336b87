/*
 * ask: the other side of the desk. Promises to believe nobody but the process it was told to ask,
 * or one that the kernel says is what its socket's name claims.
 */
#include "process/ask.h"

#include "base/output.h"
#include "process/desk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ASK_FOUND_MAX 16

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

static size_t find_all(pid_t found[ASK_FOUND_MAX])
{
    char line[512];
    size_t count = 0;
    FILE *list = fopen("/proc/self/net/unix", "re");
    if (list == NULL)
        return 0;
    while (count < ASK_FOUND_MAX && fgets(line, sizeof line, list) != NULL) {
        pid_t pid = desk_of_line(line);
        bool known = pid == 0;
        for (size_t i = 0; i < count && !known; i++)
            known = found[i] == pid;
        if (!known)
            found[count++] = pid;
    }
    fclose(list);
    return count;
}

static pid_t find_only(const char *word)
{
    pid_t found[ASK_FOUND_MAX];
    size_t count = find_all(found);
    if (count == 1)
        return found[0];
    if (count == 0) {
        fprintf(stderr, "interim: no interim is running here\n");
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
    struct sockaddr_un address;
    struct ucred who;
    socklen_t len = desk_address(pid, &address), who_len = sizeof who;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, len) != 0) {
        if (errno == ECONNREFUSED)
            fprintf(stderr, "interim: process %d is not the parent of a running interim\n",
                    (int)pid);
        else
            fprintf(stderr, "interim: cannot ask process %d: %s\n", (int)pid, strerror(errno));
    } else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &who_len) != 0 || who.pid != pid) {
        fprintf(stderr, "interim: process %d is not the one that answers in its name\n", (int)pid);
    } else {
        return fd;
    }
    if (fd >= 0)
        close(fd);
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
    close(fd);
    if (got > 0 && packet[0] == '+') {
        snprintf(text, size, "%s", packet + 1);
        return true;
    }
    fprintf(stderr, "interim: %s\n", got > 0 ? packet + 1 : "it ended before it answered");
    return false;
}

int ask_run(const struct cli *cli)
{
    char text[ASK_TEXT_MAX];
    const char *word = cli->command == CLI_RELOAD ? "reload" : "upgrade";
    if (!ask_parent(cli->pid, word, word, text, sizeof text))
        return EXIT_FAILURE;
    printf("%s\n", text);
    return output_end(EXIT_SUCCESS);
}
