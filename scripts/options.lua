-- options: checks what a script of this folder is given. A misspelt or impossible option is an
-- error in the line of the policy that gave it, never ignored.
--
--   local options = require "interim.scripts.options"
--   local o = options("canary", given, { upstream = { "string", required = true } })
--
-- Each rule begins with what the value must be: a type of Lua, or
--   list          a text, or a list of texts, which becomes a list; not empty, and without holes.
--                 `of` is the rule for each, by default { "text" }
--   map           a table from names to values; `keys` and `of` are the rules for both
--   text          text that is not empty
--   word          the same, without blanks
--   field name    of a header field, but none that the proxy alone writes
--   field value   text that may stand behind such a name
--   network       an address or a network, as interim.ip.match takes it
--   path          text that the path of a request can begin with
--   seconds       a whole number, 0 or more
-- A type can have a pattern behind it, or a function that is given the value and says whether it
-- is good; and then what a good one is called, as in { "string", "^%d+$", "a text of digits" }.
-- There may be, too:
--   required   the option must be given, and a map not empty
--   default    its value when it is not
--   off        `false` may be given, and means none; the value is then nil

local interim = require "interim"

-- field_is_framing in core/http/head.c.
local framing = {
  ["connection"] = true, ["content-length"] = true, ["expect"] = true, ["host"] = true,
  ["http2-settings"] = true, ["keep-alive"] = true, ["proxy-connection"] = true,
  ["sec-websocket-key"] = true, ["te"] = true, ["trailer"] = true, ["transfer-encoding"] = true,
  ["upgrade"] = true,
}

local function is_field_name(text)
  return text:find("^[%w!#$%%&'*+.^_`|~-]+$") and not framing[text:lower()]
end

-- If not, what it would have to be comes second, with the reason.
local function is_network(text)
  local good, why = pcall(interim.ip.match, "::1", text)
  return good, not good and "an address or a network; " .. (why:match("%((.*)%)$") or why)
end

local function is_seconds(number)
  return number >= 0 and number <= 2 ^ 53 and number % 1 == 0
end

local kinds = {
  text = { "string", ".", "a text that is not empty" },
  word = { "string", "^[^%s%c]+$", "a text that is not empty and holds no blank or control byte" },
  path = {
    "string", '^/[!"$->@-~]*$', 'the beginning of a path: "/", and behind it no blank, "?" or "#"',
  },
  network = { "string", is_network, "an address or a network" },
  seconds = { "number", is_seconds, "a whole number of seconds, 0 or more" },
  ["field name"] = {
    "string", is_field_name,
    "the name of a header field, other than those that frame or route a message",
  },
  ["field value"] = { "string", "^[\t -~\128-\255]*$", "a text without control bytes" },
}

-- How a message names the value. Texts are not shown: one may be a secret.
local function shown(value)
  if type(value) == "string" then return "" end
  local plain = value == nil or type(value) == "number" or type(value) == "boolean"
  return ", not " .. (plain and tostring(value) or "a " .. type(value))
end

local function at(place, key)
  local form = type(key) == "string" and '%s["%s"]' or "%s[%s]"
  return form:format(place, (tostring(key):gsub("%c", "?")))
end

-- In order, so that of several faults it is always the same that is told.
local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

local fault -- each of these returns what is wrong with a value, or nil

local function list_fault(rule, place, list)
  local of, count = rule.of or { "text" }, 0
  if type(list) == "string" then return fault(of, place, list) end
  if type(list) ~= "table" then
    return place .. " must be a text or a list of texts" .. shown(list)
  end
  if next(list) == nil then return place .. " must not be an empty list" end
  for key in pairs(list) do
    if type(key) ~= "number" then
      return place .. " must be a list, and one of its keys is no position"
    end
    count = count + 1
  end
  for i = 1, count do -- with a hole, or a number that is no position, one of these is nil
    local why = fault(of, at(place, i), list[i])
    if why then return why end
  end
end

local function map_fault(rule, place, map)
  if type(map) ~= "table" then return place .. " must be a table" .. shown(map) end
  if next(map) == nil and rule.required then return place .. " must not be empty" end
  for _, key in ipairs(sorted_keys(map)) do
    local why = fault(rule.keys, "the name in " .. at(place, key), key)
      or fault(rule.of, at(place, key), map[key])
    if why then return why end
  end
end

function fault(rule, place, value)
  local kind, is, wanted = unpack(kinds[rule[1]] or rule)
  if value == false and rule.off then return nil end
  if kind == "list" then return list_fault(rule, place, value) end
  if kind == "map" then return map_fault(rule, place, value) end
  local good, why = type(value) == kind, nil
  if good and type(is) == "string" then
    good = value:find(is)
  elseif good and is then
    good, why = is(value)
  end
  wanted = why or wanted or "a " .. (kind == "string" and "text" or kind)
  return not good and ("%s must be %s%s"):format(place, wanted, shown(value)) or nil
end

-- Puts the values into `found`.
local function read(given, rules, found)
  if type(given) == "userdata" then -- the request: the policy has it for a hook
    return "it is no hook but makes one: call it with a table of options"
  end
  if type(given) ~= "table" then return "expected a table of options" end
  local names = sorted_keys(rules)
  for _, name in ipairs(sorted_keys(given)) do
    if not rules[name] then
      return ("unknown option %s; there are: %s"):format(tostring(name), table.concat(names, ", "))
    end
  end
  for _, name in ipairs(names) do
    local rule, value = rules[name], given[name]
    if value == nil and rule.required then return ("the option %s is missing"):format(name) end
    local why = value ~= nil and fault(rule, name, value)
    if why then return why end
    if value == nil then value = rule.default end
    if rule[1] == "list" and type(value) == "string" then value = { value } end
    if value ~= false or not rule.off then found[name] = value end
  end
end

return function(script, given, rules)
  local found = {}
  local why = read(given, rules, found)
  if why then error(("%s: %s"):format(script, why), 3) end
  return found
end
