-- options: checks what a script of this folder is given. A misspelt option is an error in the line
-- of the policy that gave it, never ignored.
--
--   local options = require "interim.scripts.options"
--   local o = options("canary", given, { upstream = { "string", required = true } })
--
-- Each rule names a Lua type, or "list": a text, or a list of texts, which becomes a list.
--   required   the option must be given
--   default    its value when it is not
--   off        `false` may be given, and means none; the value is then nil

local function is_list(value)
  for _, item in ipairs(value) do
    if type(item) ~= "string" or item == "" then return false end
  end
  return #value > 0
end

local function check(script, name, value, rule)
  local kind = rule[1]
  if kind == "list" and type(value) == "string" then value = { value } end
  local good = type(value) == kind
  if kind == "list" then good = type(value) == "table" and is_list(value) end
  if not good then
    local wanted = "a " .. kind
    if kind == "list" then wanted = "a text or a list of texts, none of them empty" end
    error(("%s: %s must be %s, not a %s"):format(script, name, wanted, type(value)), 4)
  end
  return value
end

return function(script, given, rules)
  local found, names = {}, {}
  if type(given) ~= "table" then error(script .. ": expected a table of options", 3) end
  for name in pairs(rules) do names[#names + 1] = name end
  table.sort(names)
  local unknown = {}
  for name in pairs(given) do
    if not rules[name] then unknown[#unknown + 1] = tostring(name) end
  end
  table.sort(unknown)
  if unknown[1] then
    error(("%s: unknown option %s; there are: %s"):format(
      script, unknown[1], table.concat(names, ", ")), 3)
  end
  for _, name in ipairs(names) do
    local rule, value = rules[name], given[name]
    if value == nil and rule.required then
      error(("%s: the option %s is missing"):format(script, name), 3)
    elseif value == nil then
      found[name] = rule.default
    elseif value ~= false or not rule.off then
      found[name] = check(script, name, value, rule)
    end
  end
  return found
end
