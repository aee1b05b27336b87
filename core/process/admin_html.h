/*
 * admin_html: the status page, admin.html, as core/CMakeLists.txt puts it into the program.
 */
#ifndef INTERIM_PROCESS_ADMIN_HTML_H
#define INTERIM_PROCESS_ADMIN_HTML_H

#include <stddef.h>

extern const char admin_html[];
extern const size_t admin_html_len;

#endif
