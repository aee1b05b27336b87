-- For json_errors_test.lua.
local json_errors = require "interim.scripts.json_errors"

local api = json_errors { paths = { "/api/", "/rpc" }, retry_after = 5 }

return {
  listen = "127.0.0.1:8080",
  upstream = "127.0.0.1:9000",
  timeout = api,
  error = api,
}
