-- canary: sends a share of the clients, or those that ask for it, to another upstream.
--
-- A hook for `request`. Who belongs to the share follows from a hash of the client's address: a
-- client stays where it is, in every worker and after a reload, and a larger share only adds some.
--
-- Options:
--   upstream   text, required: a name from the policy's `upstreams`. Whether it is one can only be
--              checked when a client is sent there: if not, the hook fails
--   share      number from 0 (nobody, the default) to 1 (everybody)
--   header     text: name of a request header in which a client decides for itself: "always" or
--              "never"; any other value leaves it to the share. Default: none
--   key        function(req) that returns the text to hash instead of the address: a user's name,
--              or the address that a trusted proxy tells. Default: req.client.address
--
-- Example:
--   local canary = require "interim.scripts.canary"
--   return {
--     listen = "127.0.0.1:8080",
--     upstreams = { app = "127.0.0.1:9000", canary = "127.0.0.1:9001" },
--     upstream = "app",
--     request = canary { upstream = "canary", share = 0.05, header = "x-canary" },
--   }

local interim = require "interim"
local options = require "interim.scripts.options"

local function address_of(req)
  return req.client.address
end

local function is_share(number)
  return number >= 0 and number <= 1
end

local function key_of(req, key)
  local text = key(req)
  if type(text) == "string" or type(text) == "number" then return text end
  error("canary: key must be a function that returns a text; it returned " .. type(text), 3)
end

-- A number from 0 up to, but not including, 1, which looks random and depends on the text alone.
local function place_of(text)
  return tonumber(interim.sha256(text):sub(1, 8), 16) / 2 ^ 32
end

return function(given)
  local o = options("canary", given, {
    upstream = { "text", required = true },
    share = { "number", is_share, "a number from 0 to 1", default = 0 },
    header = { "field name" },
    key = { "function", default = address_of },
  })

  return function(req)
    local wish = o.header and req.headers[o.header]
    if wish == "never" then return nil end
    if wish == "always" or place_of(key_of(req, o.key)) < o.share then req.upstream = o.upstream end
  end
end
