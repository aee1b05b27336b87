/*
 * fuzz cookie: any text as a Cookie field, for interim.cookie.
 *
 * Must hold: the cookies found are those that a reader made of Lua's own functions finds, the first
 * of each name.
 */
#include "lua_state.h"
#include "cookie.h"

static const char chunk[] =
    "local function trim(text) return (text:gsub('^[ \\t]+', ''):gsub('[ \\t]+$', '')) end\n"
    "local function parse(text)\n"
    "  local found = {}\n"
    "  for pair in text:gmatch('[^;]+') do\n"
    "    local name, value = pair:match('^([^=]*)=(.*)$')\n"
    "    name = name and trim(name)\n"
    "    if name and name ~= '' and not found[name] then found[name] = trim(value) end\n"
    "  end\n"
    "  return found\n"
    "end\n"
    "return function(cookie, text)\n"
    "  local got, want = cookie.parse(text), parse(text)\n"
    "  for name, value in pairs(got) do assert(want[name] == value, 'one more') end\n"
    "  for name, value in pairs(want) do assert(got[name] == value, 'one less') end\n"
    "end, {}\n";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static lua_State *L;
    if (L == NULL)
        L = lua_state_with(chunk, cookie_install, "cookie");
    lua_state_feed(L, bytes, size);
    return 0;
}
