-- maintenance: everybody but a few gets 503 and a page.
--
-- A hook for `request`. Put it into the policy and send SIGHUP; take it out and send SIGHUP again:
-- no connection is lost either way.
--
-- Options:
--   retry_after   whole number of seconds after which clients are told to come back. Default: 300
--   body          text of the page, at most 8 MiB. Default: the built-in page, as HTML, JSON or
--                 plain text
--   type          text, the page's media type. Default: "text/html; charset=utf-8"
--   allow         text or list of addresses and networks whose clients pass. Default: none
--   except        text or list: beginnings of paths that everybody may reach, unless the path has
--                 "." or ".." in it, which lead elsewhere. Default: none
--
-- Example:
--   local maintenance = require "interim.scripts.maintenance"
--   return {
--     listen = "127.0.0.1:8080", upstream = "127.0.0.1:9000",
--     request = maintenance { retry_after = 600, allow = "10.0.0.0/8", except = "/health" },
--   }

local interim = require "interim"
local options = require "interim.scripts.options"

-- Whether an origin that resolves "." and ".." could find something elsewhere behind the path.
local function leads_away(path)
  local plain = interim.url.decode(path)
  return not plain or (plain .. "/"):find("[/\\]%.%.?[/\\;]") ~= nil
end

local function is_excepted(path, beginnings)
  if leads_away(path) then return false end
  for _, beginning in ipairs(beginnings) do
    if interim.starts(path, beginning) then return true end
  end
  return false
end

local function is_body(text)
  return #text <= 8 * 2 ^ 20
end

return function(given)
  local o = options("maintenance", given, {
    retry_after = { "seconds", default = 300 },
    body = { "string", is_body, "a text of at most 8 MiB" },
    type = { "field value", default = "text/html; charset=utf-8" },
    allow = { "list", of = { "network" }, default = {} },
    except = { "list", of = { "path" }, default = {} },
  })
  local headers = {
    ["retry-after"] = ("%d"):format(o.retry_after),
    ["cache-control"] = "no-store",
    ["content-type"] = o.body and o.type or nil,
  }

  return function(req)
    if interim.ip.match(req.client.address, o.allow) or is_excepted(req.path, o.except) then
      return nil
    end
    return { status = 503, headers = headers, body = o.body }
  end
end
