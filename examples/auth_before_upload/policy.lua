-- Who may upload, what and how much: decided from the head of the request, before any of its body.
local upload_gate = require "interim.scripts.upload_gate"

return {
  listen   = "127.0.0.1:" .. (os.getenv("PORT") or "8080"),
  upstream = "127.0.0.1:" .. (os.getenv("ORIGIN_PORT") or "9000"),

  -- Asked for every request, whether its client waits for leave or not. What it refuses, no `expect`
  -- hook and no origin hears of. What it lets pass, the origin may still refuse: by default an
  -- expectation is forwarded, and the 100 or the refusal of the origin goes back to the client.
  request = upload_gate {
    tokens   = { "let-me-in", "a-second-one" },
    max_size = 50e6,
    types    = { "application/octet-stream", "image/*" },
  },
}
