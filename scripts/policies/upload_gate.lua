-- For upload_gate_test.lua: a gate of each kind, by path.
local upload_gate = require "interim.scripts.upload_gate"

local gates = {
  ["/all"] = upload_gate {
    tokens = { "one", "two" }, max_size = 1000, types = { "image/*", "Text/Plain" },
  },
  ["/token"] = upload_gate { tokens = "one" },
  ["/open"] = upload_gate { tokens = false, max_size = 1000 },
}

return {
  listen = "127.0.0.1:8080",
  upstream = "127.0.0.1:9000",
  request = function(req) return gates[req.path](req) end,
}
