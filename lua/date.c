/*
 * Owns the three forms of an HTTP date. Promises to write only the first, to read all of them, and
 * to take nothing that is no day of the calendar.
 */
#include "date.h"

#include "base/slice.h"
#include "base/sys.h"
#include "budget.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

#define STEPS_PER_CALL 64
#define YEAR_0         (-62167219200.0)
#define YEAR_10000     253402300800.0

static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/*
 * %w is a day's short name, %W its long one, %m a month, %d its day in two digits, %e in one behind
 * a space, %t the time, %Y the year, %y the last two digits of it; the rest stands for itself.
 */
static const char *const forms[] = {
    "%w, %d %m %Y %t GMT",
    "%W, %d-%m-%y %t GMT",
    "%w %m %d %t %Y",
    "%w %m %e %t %Y",
};

static bool take(struct slice *from, struct slice part)
{
    bool found = slice_starts(*from, part);

    if (found)
        *from = slice_skip(*from, part.len);
    return found;
}

static bool take_digits(struct slice *from, size_t count, int *value)
{
    uint64_t number = 0;

    if (from->len < count || !slice_to_number(slice_of(from->at, count), &number))
        return false;
    *value = (int)number;
    *from = slice_skip(*from, count);
    return true;
}

/* The place of the name in the list; of each, the first `length` bytes count, 0: all. */
static bool take_name(struct slice *from, const char *const *names, int count, size_t length,
                      int *place)
{
    for (int i = 0; i < count; i++) {
        struct slice name = slice_of_string(names[i]);
        *place = i;
        if (take(from, length > 0 ? slice_of(name.at, length) : name))
            return true;
    }
    return false;
}

static bool take_time(struct slice *from, struct tm *tm)
{
    return take_digits(from, 2, &tm->tm_hour) && take(from, SLICE(":")) &&
           take_digits(from, 2, &tm->tm_min) && take(from, SLICE(":")) &&
           take_digits(from, 2, &tm->tm_sec);
}

/* Two digits name the year that is at most 50 years ahead. */
static int full_year(int last_digits)
{
    time_t now = (time_t)sys_realtime();
    struct tm tm;

    gmtime_r(&now, &tm);
    int this_year = tm.tm_year + 1900;
    int year = this_year - this_year % 100 + last_digits;
    return year > this_year + 50 ? year - 100 : year;
}

static bool take_part(struct slice *from, char part, struct tm *tm)
{
    int number = 0;
    bool ok = true;

    switch (part) {
    case 'w':
        return take_name(from, days, 7, 3, &number);
    case 'W':
        return take_name(from, days, 7, 0, &number);
    case 'm':
        return take_name(from, months, 12, 0, &tm->tm_mon);
    case 'd':
        return take_digits(from, 2, &tm->tm_mday);
    case 'e':
        return take(from, SLICE(" ")) && take_digits(from, 1, &tm->tm_mday);
    case 't':
        return take_time(from, tm);
    default:
        ok = take_digits(from, part == 'Y' ? 4 : 2, &number);
        tm->tm_year = (part == 'Y' || !ok ? number : full_year(number)) - 1900;
        return ok;
    }
}

static bool read_form(const char *form, struct slice text, struct tm *tm)
{
    for (; *form != '\0'; form++) {
        if (*form == '%' ? !take_part(&text, *++form, tm) : !take(&text, slice_of(form, 1)))
            return false;
    }
    return slice_is_empty(text);
}

/* False for what no calendar or clock shows; second 60 is one that is leapt over. */
static bool to_seconds(const struct tm *read, double *seconds)
{
    struct tm tm = *read;

    tm.tm_sec = 0;
    time_t minute = timegm(&tm);
    *seconds = (double)minute + read->tm_sec;
    return tm.tm_mday == read->tm_mday && tm.tm_mon == read->tm_mon && read->tm_hour < 24 &&
           read->tm_min < 60 && read->tm_sec <= 60;
}

/* parse(text): seconds since 1970, or nil when it is no HTTP date */
static int parse(lua_State *L)
{
    struct slice text;

    text.at = luaL_checklstring(L, 1, &text.len);
    budget_spend(L, STEPS_PER_CALL);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct tm tm = {0};
        double seconds;
        if (!read_form(forms[i], text, &tm))
            continue;
        if (!to_seconds(&tm, &seconds))
            break;
        lua_pushnumber(L, seconds);
        return 1;
    }
    lua_pushnil(L);
    return 1;
}

/* http(seconds): the date, in GMT */
static int write_date(lua_State *L)
{
    double seconds = floor(luaL_checknumber(L, 1));
    char text[64];
    struct tm tm;

    luaL_argcheck(L, seconds >= YEAR_0 && seconds < YEAR_10000, 1,
                  "expected seconds since 1970, in the years 0 to 9999");
    budget_spend(L, STEPS_PER_CALL);
    time_t whole = (time_t)seconds;
    gmtime_r(&whole, &tm);
    snprintf(text, sizeof text, "%.3s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday],
             tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    lua_pushstring(L, text);
    return 1;
}

void date_install(lua_State *L)
{
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, write_date);
    lua_setfield(L, -2, "http");
    lua_pushcfunction(L, parse);
    lua_setfield(L, -2, "parse");
    lua_setfield(L, -2, "time");
}
