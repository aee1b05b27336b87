-- json_errors: failures of the origin as JSON, for an API: "problem details" of RFC 9457.
--
-- A hook for both `timeout` and `error`. The body is an object:
--   status   number, also that of the response
--   title    text, for people
--   kind     text: which failure it is, as in lua/README.md: "response", "connect", "refused"…
--   id       text: the request's id, as in the access log
-- It tells nothing of the origin's name or address.
--
-- Options:
--   paths         text or list: beginnings of the paths this is for; others get the built-in page.
--                 Default: "/", all
--   retry_after   whole number of seconds after which clients may try again. Default: not said
--
-- Example:
--   local json_errors = require "interim.scripts.json_errors"
--   local page = json_errors { paths = "/api/" }
--   return {
--     listen = "127.0.0.1:8080", upstream = "127.0.0.1:9000",
--     timeout = page, error = page,
--   }

local interim = require "interim"
local options = require "interim.scripts.options"

local titles = {
  body = "The request's body did not arrive in time",
  connect = "No connection to the service in time",
  send = "The service did not take the request in time",
  processing = "The service did not finish in time",
  response = "The service did not answer in time",
  exchange = "The service did not answer in time",
  refused = "The service is not running",
  unreachable = "The service cannot be reached",
  closed = "The service broke off",
  bad_response = "The service's answer makes no sense",
  no_upstream = "No service is here",
}

return function(given)
  local o = options("json_errors", given or {}, {
    paths = { "list", of = { "path" }, default = { "/" } },
    retry_after = { "seconds" },
  })
  local headers = {
    ["content-type"] = "application/problem+json",
    ["cache-control"] = "no-store",
    ["retry-after"] = o.retry_after and ("%d"):format(o.retry_after) or nil,
  }

  return function(req, failure)
    for _, beginning in ipairs(o.paths) do
      if interim.starts(req.path, beginning) then
        return {
          status = failure.status,
          headers = headers,
          body = interim.json.encode {
            status = failure.status,
            title = titles[failure.kind] or "The service failed",
            kind = failure.kind,
            id = req.id,
          } .. "\n",
        }
      end
    end
  end
end
