/*
 * fuzz url: any text for interim.url.
 *
 * Must hold:
 *
 * - what is encoded holds unreserved bytes and %XX only, and decodes to what it was;
 * - what decodes at all decodes as a reader made of Lua's own functions says, and so does a query:
 *   the same names, with the same values in the same order.
 */
#include "lua_state.h"
#include "url.h"

static const char chunk[] =
    "local function decode(text)\n"
    "  if text:gsub('%%%x%x', ''):find('%', 1, true) then return nil end\n"
    "  return (text:gsub('%%(%x%x)', function(hex) return string.char(tonumber(hex, 16)) end))\n"
    "end\n"
    "local function parse_query(text)\n"
    "  if not decode(text) then return nil end\n"
    "  local found = {}\n"
    "  for piece in text:gmatch('[^&]+') do\n"
    "    local name, value = piece:match('^([^=]*)=?(.*)$')\n"
    "    name, value = decode((name:gsub('+', ' '))), decode((value:gsub('+', ' ')))\n"
    "    found[name] = found[name] or {}\n"
    "    table.insert(found[name], value)\n"
    "  end\n"
    "  return found\n"
    "end\n"
    "local function same(got, want)\n"
    "  if not got or not want then return not got and not want end\n"
    "  for name in pairs(got) do if not want[name] then return false end end\n"
    "  for name, values in pairs(want) do\n"
    "    local one = got[name]\n"
    "    if type(one) == 'string' then one = { one } end\n"
    "    if not one or #one ~= #values then return false end\n"
    "    for i = 1, #values do if one[i] ~= values[i] then return false end end\n"
    "  end\n"
    "  return true\n"
    "end\n"
    "return function(url, text)\n"
    "  local encoded = url.encode(text)\n"
    "  assert(not encoded:find('[^%w%%._~-]'), 'a byte that is reserved')\n"
    "  assert(url.decode(encoded) == text, 'not what was encoded')\n"
    "  assert(url.decode(text) == decode(text), 'decoded otherwise')\n"
    "  assert(same(url.parse_query(text), parse_query(text)), 'another query')\n"
    "end, {}\n";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static lua_State *L;
    if (L == NULL)
        L = lua_state_with(chunk, url_install, "url");
    lua_state_feed(L, bytes, size);
    return 0;
}
