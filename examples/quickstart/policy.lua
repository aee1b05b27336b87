-- The policy of the quickstart: who may upload, who may open a WebSocket, and what a client is told
-- when the origin takes too long.
local interim = require "interim"

local TOKEN = "Bearer let-me-in"
local LARGEST = 50e6

return {
  listen   = "127.0.0.1:" .. (os.getenv("PORT") or "8080"),
  upstream = "127.0.0.1:" .. (os.getenv("ORIGIN_PORT") or "9000"),

  -- Short, so that they can be seen at work.
  timeouts = { response = 2, processing = 2 },

  -- A client asks before it sends a body. Whoever has no token, or too much to send, hears so now
  -- and keeps the body; for the others the origin decides.
  expect = function(req)
    if req.headers.authorization ~= TOKEN then
      return { status = 401, body = "Who are you?\n" }
    end
    if (req.body_size or 0) > LARGEST then
      return { status = 413, body = "50 MB at most\n" }
    end
    return "forward"
  end,

  -- A client offers another protocol: WebSockets, for pages of our own only.
  upgrade = function(req)
    if req.headers.origin ~= "https://app.example" then
      return { status = 403, body = "Not from there\n" }
    end
    return "websocket"
  end,

  -- The origin was silent for too long: our own page.
  timeout = function(req, t)
    return {
      status = 504,
      headers = { ["content-type"] = "application/json" },
      body = interim.json.encode { waited = t.after } .. "\n",
    }
  end,
}
