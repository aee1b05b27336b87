-- A new version of the origin gets a share of the users, and whoever asks for it.
local interim = require "interim"
local canary = require "interim.scripts.canary"

local SHARE = 0.2

-- Who somebody is, as far as is known: a user stays with one version, from wherever they come.
local function user_of(req)
  return interim.cookie.parse(req.headers.cookie).user or req.client.address
end

local by_share = canary { upstream = "next", share = SHARE, header = "x-canary", key = user_of }

return {
  listen    = "127.0.0.1:" .. (os.getenv("PORT") or "8080"),
  upstreams = {
    present = "127.0.0.1:" .. (os.getenv("PRESENT_PORT") or "9000"),
    next    = "127.0.0.1:" .. (os.getenv("NEXT_PORT") or "9001"),
  },
  upstream  = "present",

  -- A cookie decides, for those who have been given it; the rest is up to the share.
  request = function(req)
    local wish = interim.cookie.parse(req.headers.cookie).canary
    if wish == "yes" then
      req.upstream = "next"
    elseif wish ~= "no" then
      return by_share(req)
    end
  end,

  -- So that a report of a fault says which version it is about.
  response = function(_, res)
    res.headers["x-version"] = res.upstream
  end,
}
