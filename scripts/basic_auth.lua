-- basic_auth: names and passwords (RFC 7617), for a stage or an internal page.
--
-- A hook for `request`. Browsers send the password with every request: have TLS in front. Who it
-- is stands in `req.ctx.user` for later hooks. The origin is sent the `Authorization` field too.
--
-- Options:
--   users   table, required: name = SHA-256 of "name:password" in hex, as printed by
--               printf 'alice:secret' | sha256sum
--           A name holds no ":".
--           The hash is a quick one: it protects long random passwords, not short ones
--   realm   text that browsers show. Default: "restricted"
--
-- Example:
--   local basic_auth = require "interim.scripts.basic_auth"
--   return {
--     listen = "127.0.0.1:8080", upstream = "127.0.0.1:9000",
--     request = basic_auth { users = {
--       alice = "3d11dc479c08e3b368773103d64766c2e420ce39727932fcf2d8f4d9d599be59",
--     } },
--   }

local interim = require "interim"
local options = require "interim.scripts.options"

local nobody = interim.sha256("") -- compared with when there is no such user: the time is the same

local function user_of(field, users)
  local scheme, encoded = (field or ""):match("^(%a+) +(%S+)$")
  if not scheme or scheme:lower() ~= "basic" then return nil end
  local pair = interim.base64.decode(encoded)
  local name = pair and pair:match("^([^:]*):")
  if not name then return nil end
  local same = interim.equal(interim.sha256(pair), users[name] or nobody)
  return same and users[name] and name or nil
end

local function is_hash(text)
  return #text == 64 and not text:find("%X")
end

return function(given)
  local o = options("basic_auth", given, {
    users = {
      "map", required = true,
      keys = { "string", "^[^:]*$", 'a text without ":"' },
      of = { "string", is_hash, "64 hex digits, the SHA-256 of name:password" },
    },
    realm = {
      "string", '^[^%c"\\]*$', "a text without quotes, backslashes and control bytes",
      default = "restricted",
    },
  })
  local users = {}
  for name, hash in pairs(o.users) do users[name] = hash:lower() end
  local challenge = ('Basic realm="%s", charset="UTF-8"'):format(o.realm)

  return function(req)
    local user = user_of(req.headers.authorization, users)
    if not user then return { status = 401, headers = { ["www-authenticate"] = challenge } } end
    req.ctx.user = user
  end
end
