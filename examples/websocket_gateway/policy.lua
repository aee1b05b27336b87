-- Which sites may open a WebSocket, and which subprotocols they may speak.
local interim = require "interim"
local websocket_origins = require "interim.scripts.websocket_origins"

local SUBPROTOCOLS = { ["chat.v2"] = true, ["chat.v1"] = true }

-- What the client offers of the subprotocols that there are, in its order.
local function known_subprotocols(field)
  local known = {}
  for _, name in ipairs(interim.split(field, ",")) do
    name = interim.trim(name)
    if SUBPROTOCOLS[name] then known[#known + 1] = name end
  end
  return known
end

local from_our_sites = websocket_origins { origins = { "https://app.example" } }

return {
  listen   = "127.0.0.1:" .. (os.getenv("PORT") or "8080"),
  upstream = "127.0.0.1:" .. (os.getenv("ORIGIN_PORT") or "9000"),

  -- A tunnel without a byte either way is over after this. Clients should ping more often.
  timeouts = { tunnel = "10m" },

  -- Edits what the origin will see: it chooses a subprotocol from those that are left.
  request = function(req)
    local field = req.headers["sec-websocket-protocol"]
    if field == nil then return nil end
    local known = known_subprotocols(field)
    if #known == 0 then return { status = 400, body = "No subprotocol that is spoken here\n" } end
    req.headers["sec-websocket-protocol"] = table.concat(known, ", ")
  end,

  -- nil from it means: offer websocket to the origin, and nothing else the client may have named.
  upgrade = function(req)
    if req.path ~= "/ws" then return false end
    return from_our_sites(req)
  end,
}
