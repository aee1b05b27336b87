-- security_headers: fields that tell browsers to be careful, and none that tell attackers anything.
--
-- A hook for `response`. A field that the origin has set itself stays as it is. Answers that the
-- proxy makes are not asked about: they bring what they need.
--
-- Options:
--   headers   table: name = value to set beside the defaults, or to change them; `false` leaves a
--             default out. The defaults are
--               x-content-type-options   nosniff
--               x-frame-options          SAMEORIGIN
--               referrer-policy          strict-origin-when-cross-origin
--   remove    text or list of fields to remove. Default: "server" and "x-powered-by"; `false`: none
--
-- Example:
--   local security_headers = require "interim.scripts.security_headers"
--   return {
--     listen = "127.0.0.1:8080", upstream = "127.0.0.1:9000",
--     response = security_headers {
--       headers = { ["strict-transport-security"] = "max-age=31536000" }, -- with TLS in front
--     },
--   }

local options = require "interim.scripts.options"

local defaults = {
  ["x-content-type-options"] = "nosniff",
  ["x-frame-options"] = "SAMEORIGIN",
  ["referrer-policy"] = "strict-origin-when-cross-origin",
}

-- The names in order, so that a response is the same bytes every time.
local function merge(headers)
  local values, names, spellings = {}, {}, {}
  for name, value in pairs(defaults) do values[name] = value end
  for name, value in pairs(headers) do
    local lower = name:lower()
    if spellings[lower] then
      error(("security_headers: headers has %s twice, in two spellings"):format(lower), 3)
    end
    if value == false and not defaults[lower] then
      error(("security_headers: headers: %s is no default that could be left out"):format(lower), 3)
    end
    spellings[lower] = true
    values[lower] = value or nil
  end
  for name in pairs(values) do names[#names + 1] = name end
  table.sort(names)
  return values, names
end

return function(given)
  local o = options("security_headers", given or {}, {
    headers = {
      "map", keys = { "field name" }, of = { "field value", off = true }, default = {},
    },
    remove = {
      "list", of = { "field name" }, default = { "server", "x-powered-by" }, off = true,
    },
  })
  local values, names = merge(o.headers)

  return function(_, res)
    for _, name in ipairs(o.remove or {}) do res.headers[name] = nil end
    for _, name in ipairs(names) do
      if res.headers[name] == nil then res.headers[name] = values[name] end
    end
  end
end
