-- For websocket_origins_test.lua: one list of origins, and whether clients without one pass.
local websocket_origins = require "interim.scripts.websocket_origins"

local origins = { "https://App.example", "http://localhost:3000", "https://*.app.example" }
local browsers = websocket_origins { origins = origins }
local all = websocket_origins { origins = origins, missing = true }

return {
  listen = "127.0.0.1:8080",
  upstream = "127.0.0.1:9000",
  upgrade = function(req) return (req.path == "/all" and all or browsers)(req) end,
}
