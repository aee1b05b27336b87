-- For maintenance_test.lua: with a page of its own, and with the built-in one.
local maintenance = require "interim.scripts.maintenance"

local own = maintenance {
  retry_after = 600, body = "<h1>Soon</h1>\n", allow = { "10.0.0.0/8", "::1" }, except = "/health",
}
local plain = maintenance {}

return {
  listen = "127.0.0.1:8080",
  upstream = "127.0.0.1:9000",
  request = function(req) return (req.host == "plain" and plain or own)(req) end,
}
