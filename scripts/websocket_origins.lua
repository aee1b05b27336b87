-- websocket_origins: which web sites may open a WebSocket here.
--
-- A hook for `upgrade`. A browser sends the cookies of your site with a WebSocket that any other
-- site opens; only `Origin` tells them apart. One from elsewhere is answered 403. Offers of other
-- protocols go on as ordinary requests.
--
-- Options:
--   origins   text or list, required: "https://app.example"; "https://*.app.example" stands for
--             every name below it, at any depth, not for app.example itself. A port is written
--             unless it is the scheme's own: 443 of https, 80 of http
--   missing   boolean, default false: whether clients without `Origin`, which are no browsers, pass
--
-- Example:
--   local websocket_origins = require "interim.scripts.websocket_origins"
--   return {
--     listen = "127.0.0.1:8080", upstream = "127.0.0.1:9000",
--     upgrade = websocket_origins { origins = "https://app.example" },
--   }

local interim = require "interim"
local options = require "interim.scripts.options"

local own_ports = { http = ":80", https = ":443" }

-- `pattern` has the scheme before its star and the domain, with its dot, behind it.
local function is_below(origin, pattern)
  local star = pattern:find("*", 1, true)
  local before, behind = pattern:sub(1, star - 1), pattern:sub(star + 1)
  local names = #origin > #before + #behind and interim.starts(origin, before)
    and interim.ends(origin, behind) and origin:sub(#before + 1, -#behind - 1)
  return names and names:find("^[%w._-]+$") and not ("." .. names .. "."):find("..", 1, true)
end

local function offers_websocket(req)
  for _, protocol in ipairs(req.upgrade) do
    if protocol:lower() == "websocket" then return true end
  end
  return false
end

-- Whether a browser can send it: the origin of a page, which is never ws or wss.
local function is_origin(text)
  text = text:lower():gsub("://%*%.([%w_])", "://%1")
  local scheme, host = text:match("^(%a[%w+.-]*)://(.+)$")
  if not scheme or scheme == "ws" or scheme == "wss" then return false end
  local port = host:match(":%d+$") or ""
  host = host:sub(1, -#port - 1)
  local name = own_ports[scheme] and "^[%w_][%w._-]*$" or "^[%w._-]+$" -- app://- is one
  return port ~= own_ports[scheme] and (host:find(name) or host:find("^%[[%x:.]+%]$"))
end

return function(given)
  local o = options("websocket_origins", given, {
    origins = {
      "list", required = true,
      of = {
        "string", is_origin,
        'the origin of a web page, "https://app.example": no path, nor the port of https or http',
      },
    },
    missing = { "boolean", default = false },
  })
  local exact, patterns = {}, {}
  for _, origin in ipairs(o.origins) do
    origin = origin:lower()
    if origin:find("*", 1, true) then patterns[#patterns + 1] = origin else exact[origin] = true end
  end

  return function(req)
    if not offers_websocket(req) then return nil end
    local origin = req.headers.origin
    if origin == nil then return not o.missing and 403 or nil end
    origin = origin:lower()
    if exact[origin] then return nil end
    for _, pattern in ipairs(patterns) do
      if is_below(origin, pattern) then return nil end
    end
    return 403
  end
end
