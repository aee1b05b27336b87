-- For security_headers_test.lua: as it is, and with every option.
local security_headers = require "interim.scripts.security_headers"

local plain = security_headers()
local own = security_headers {
  headers = {
    ["X-Frame-Options"] = false,
    ["referrer-policy"] = "no-referrer",
    ["Strict-Transport-Security"] = "max-age=31536000",
  },
  remove = false,
}

return {
  listen = "127.0.0.1:8080",
  upstream = "127.0.0.1:9000",
  response = function(req, res) return (req.path == "/own" and own or plain)(req, res) end,
}
