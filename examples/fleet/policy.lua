-- One policy for all nodes. What differs from node to node comes from its environment: its name, its
-- port, and what stands in front of it.
local NODE = os.getenv("NODE") or "a"

-- In front of this node, HAProxy speaks HTTP and says in X-Forwarded-For who the client is: believe
-- it. Or it only passes on bytes: then that field is the client's own, and says what the client likes.
local behind_http = os.getenv("BEHIND") ~= "tcp"

return {
  listen   = "127.0.0.1:" .. (os.getenv("PORT") or "8081"),
  upstream = "127.0.0.1:" .. (os.getenv("ORIGIN_PORT") or "9000"),

  trusted_proxies = behind_http and { "127.0.0.1" } or {},

  -- All connections come from HAProxy. One that is trusted is not counted anyway.
  limits = { connections_per_address = behind_http and 1000 or 0 },

  request = function(req)
    -- For the balancer: this node takes requests. A node that stops refuses connections.
    if req.path == "/healthz" then return { status = 200, body = "ok\n" } end
  end,

  response = function(_, res)
    res.headers["x-node"] = NODE
  end,
}
