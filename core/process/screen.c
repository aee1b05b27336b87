/*
 * screen: owns the terminal's state while it is open.
 */
#include "process/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios before;
static bool has_keys; /* stdin is a terminal, too */
static volatile sig_atomic_t ended, suspended;

static void on_signal(int number)
{
    (void)number;
    ended = 1;
}

static void on_suspend(int number)
{
    (void)number;
    suspended = 1;
}

static void on_resize(int number)
{
    (void)number; /* only ends the wait */
}

bool screen_is_there(void)
{
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) == 1 && (term == NULL || strcmp(term, "dumb") != 0);
}

static void watch(int number, void (*handler)(int number))
{
    const struct sigaction action = {.sa_handler = handler};
    sigaction(number, &action, NULL);
}

void screen_open(void)
{
    watch(SIGINT, on_signal);
    watch(SIGTERM, on_signal);
    watch(SIGHUP, on_signal);
    watch(SIGQUIT, on_signal);
    watch(SIGTSTP, on_suspend);
    watch(SIGWINCH, on_resize);
    has_keys = tcgetattr(STDIN_FILENO, &before) == 0;
    if (has_keys) {
        struct termios raw = before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    /* The other screen, without a cursor. */
    fputs("\033[?1049h\033[?25l", stdout);
    fflush(stdout);
}

void screen_close(void)
{
    fputs("\033[?25h\033[?1049l", stdout);
    fflush(stdout);
    if (has_keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

void screen_draw(struct slice text)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
        size = (struct winsize){.ws_row = 24, .ws_col = 80};
    size_t width = size.ws_col;
    fputs("\033[H", stdout);
    for (unsigned row = 0; row < size.ws_row && text.len > 0; row++) {
        size_t len = slice_find(text, '\n');
        /* Cleared first: behind a line that is full the cursor still stands on its last byte. */
        printf("%s\033[K%.*s", row > 0 ? "\n" : "", (int)(len < width ? len : width), text.at);
        text = slice_skip(text, len + 1);
    }
    fputs("\033[J", stdout);
    fflush(stdout);
}

/* Whoever stops it gets the terminal back as it was, and it takes it anew when it goes on. */
static void suspend(void)
{
    suspended = 0;
    screen_close();
    kill(getpid(), SIGSTOP);
    screen_open();
}

bool screen_wait(double seconds)
{
    struct pollfd keys = {.fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN};
    char key;
    if (poll(&keys, 1, (int)(seconds * 1000)) > 0) {
        ssize_t got = read(STDIN_FILENO, &key, 1);
        if (got <= 0)
            has_keys = false; /* nobody is there to press one */
        else if (key == 'q' || key == 'Q' || key == 3)
            return false;
    }
    if (suspended != 0)
        suspend();
    return ended == 0;
}
