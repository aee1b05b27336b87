-- One policy for all nodes. What differs from node to node comes from its environment: its name, its
-- port, and what stands in front of it.
local NODE = os.getenv("NODE") or "a"

-- In front of this node, HAProxy speaks HTTP and says in X-Forwarded-For who the client is. Or it only
-- passes on bytes, behind a PROXY header that says it.
local behind_tcp = os.getenv("BEHIND") == "tcp"

return {
  listen   = "127.0.0.1:" .. (os.getenv("PORT") or "8081"),
  upstream = "127.0.0.1:" .. (os.getenv("ORIGIN_PORT") or "9000"),

  trusted_proxies = "127.0.0.1",           -- HAProxy is believed, nobody else
  proxy_protocol  = behind_tcp,

  request = function(req)
    -- For the balancer: this node takes requests. A node that stops refuses connections.
    if req.path == "/healthz" then return { status = 200, body = "ok\n" } end
  end,

  response = function(_, res)
    res.headers["x-node"] = NODE
  end,
}
