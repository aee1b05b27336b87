-- How long to wait for what, and what to say when it was too long.
local interim = require "interim"
local json_errors = require "interim.scripts.json_errors"

local origin = "127.0.0.1:" .. (os.getenv("ORIGIN_PORT") or "9000")

-- Whoever asked for a job, a program, is told in JSON what happened. Others get the built-in page.
local for_programs = json_errors {}

return {
  listen    = "127.0.0.1:" .. (os.getenv("PORT") or "8080"),
  upstreams = {
    -- Pages are made quickly, or something is wrong.
    app  = { addresses = origin, timeouts = { response = 1 } },
    -- A job may take as long as it likes, as long as it says so: `response` until its first 102, and
    -- from the latest one on `processing`. What it all comes to is `exchange`.
    jobs = { addresses = origin, timeouts = { response = 3, processing = 3 } },
  },
  upstream  = "app",
  timeouts  = { exchange = "1h" },

  request = function(req)
    if interim.ends(req.path, "-job") then req.upstream = "jobs" end
  end,

  timeout = function(req, t)
    if req.upstream == "jobs" then return for_programs(req, t) end
  end,
}
