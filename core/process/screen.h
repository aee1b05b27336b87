/*
 * screen: a terminal that is drawn on anew every second, and hears one key. It knows no library and
 * no kind of terminal: the few sequences it sends are understood by all that are in use.
 */
#ifndef INTERIM_PROCESS_SCREEN_H
#define INTERIM_PROCESS_SCREEN_H

#include "base/slice.h"

bool screen_is_there(void); /* stdout is a terminal */

/* From here on to screen_close the terminal is ours; it is given back as it was, also when a
 * signal ends the process. */
void screen_open(void);
void screen_close(void);

/* Draws lines, as many as fit, each cut to fit. */
void screen_draw(struct slice text);

/* Waits. False when the user wants to leave: by q, or a signal. */
bool screen_wait(double seconds);

#endif
