-- For canary_test.lua: a share by address, by a key of the policy's own, and none but by header; a
-- key that gives nothing.
local canary = require "interim.scripts.canary"

local ways = {
  ["/tenth"] = canary { upstream = "canary", share = 0.1 },
  ["/half"] = canary { upstream = "canary", share = 0.5 },
  ["/all"] = canary { upstream = "canary", share = 1, header = "x-canary" },
  ["/asked"] = canary { upstream = "canary", header = "x-canary" },
  ["/user"] = canary {
    upstream = "canary", share = 0.5, key = function(req) return req.headers["x-user"] or "" end,
  },
  ["/keyless"] = canary { upstream = "canary", share = 0.5, key = function() end },
}

return {
  listen = "127.0.0.1:8080",
  upstreams = { app = "127.0.0.1:9000", canary = "127.0.0.1:9001" },
  upstream = "app",
  request = function(req) return ways[req.path](req) end,
}
