-- Interim responses have no hook: they are passed on whatever a policy says. It can see afterwards
-- that they were, and this one says so of each page that came without hints.
local interim = require "interim"

local function was_hinted(res)
  for _, code in ipairs(res.interims) do
    if code == 103 then return true end
  end
  return false
end

return {
  listen   = "127.0.0.1:" .. (os.getenv("PORT") or "8080"),
  upstream = "127.0.0.1:" .. (os.getenv("ORIGIN_PORT") or "9000"),

  log = function(req, res)
    if res.outcome == "upstream" and not was_hinted(res) then
      interim.log(("no hints for %s, %.1f s"):format(req.path, res.elapsed))
    end
  end,
}
