-- given: what test files say about a request, a response, what went wrong or how an exchange ended.
-- Promises that nothing is silently ignored: a key that nobody knows, or a value of the wrong kind,
-- is an error at the place of the user's own call, which is `level` calls up.
local tool = require "interim.tool"

local given = {}

local function refuse(level, ...)
  error(string.format(...), level + 1)
end

local function shown(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) == "number" or type(value) == "boolean" then return tostring(value) end
  return "a " .. type(value)
end

-- ---- kinds of values: each gives what is wrong with one, or nil ----

local function kind(expected, accepts)
  return function(key, value)
    if not accepts(value) then return ("%s must be %s, not %s"):format(key, expected, shown(value)) end
  end
end

local function is_number(value, least, most)
  return type(value) == "number" and value >= least and value <= most
end

local function is_whole(value, least, most)
  return is_number(value, least, most) and value % 1 == 0
end

local function is_list(value, accepts)
  if type(value) ~= "table" then return false end
  local count = 0
  for _ in pairs(value) do count = count + 1 end
  for i = 1, count do
    if not accepts(value[i]) then return false end
  end
  return true
end

local function is_field_value(value)
  return type(value) == "string" or type(value) == "number"
end

local MOST = 9e15 -- a whole number up to here is exact

local text = kind("text", function(value) return type(value) == "string" end)
local flag = kind("true or false", function(value) return type(value) == "boolean" end)
local number = kind("a number from 0 on", function(value) return is_number(value, 0, MOST) end)
local count = kind("a whole number from 0 on", function(value) return is_whole(value, 0, MOST) end)
local code = kind("a whole number from 0 to 599", function(value) return is_whole(value, 0, 599) end)
local final = kind("a whole number from 200 to 599", function(value) return is_whole(value, 200, 599) end)
local codes = kind("a list of codes from 100 to 199", function(value)
  return is_list(value, function(item) return is_whole(item, 100, 199) end)
end)
local fields = kind("a table", function(value) return type(value) == "table" end)
local field = kind("text or a list of texts", function(value)
  return is_field_value(value) or is_list(value, is_field_value)
end)

local function headers(key, value)
  local why = fields(key, value)
  if why then return why end
  for name, values in pairs(value) do
    why = text("a name in " .. key, name) or field(("%s[%q]"):format(key, name), values)
    if why then return why end
  end
end

-- ---- what is known of each ----

local request = {
  method = text, path = text, query = text, version = text, headers = headers, client = text,
  body_size = count,
}

local response = { status = final, reason = text, headers = headers }

local trouble = {
  kind = text, status = code, after = number, elapsed = number, upstream = text, address = text,
  detail = text, interims = count, last_interim = code, bytes_sent = count,
}

local result = {
  status = code, outcome = text, error = text, upstream = text, address = text, expect = text,
  upgrade = text, interims = codes, interim_count = count, bytes_in = count, bytes_out = count,
  tunnel_in = count, tunnel_out = count, elapsed = number, connect = number, first_byte = number,
  reused = flag,
}

local function names_of(known)
  local names = {}
  for name in pairs(known) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function check(what, said, known, level)
  if type(said) ~= "table" then refuse(level + 1, "%s must be a table, not %s", what, shown(said)) end
  for key, value in pairs(said) do
    if not known[key] then
      local hint = type(key) == "string" and tool.hint(key, names_of(known)) or ""
      refuse(level + 1, "%s has no field %q%s", what, tostring(key), hint)
    end
    local why = known[key](key, value)
    if why then refuse(level + 1, "%s: %s", what, why) end
  end
end

function given.check_request(said, level) check("the request", said, request, level + 1) end
function given.check_response(said, level) check("the response", said, response, level + 1) end
function given.check_trouble(said, level) check("what went wrong", said, trouble, level + 1) end

function given.check_result(said, level)
  check("the result", said, result, level + 1)
  local least = said.interims and #said.interims or 0
  if said.interim_count and said.interim_count < least then
    refuse(level + 1, "the result: interim_count must be at least %d, as many as interims has, not %d", least,
      said.interim_count)
  end
end

return given
