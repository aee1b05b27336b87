local interim = require "interim"
local json_errors = require "interim.scripts.json_errors"
local policy = require("interim.test").load("policies/json_errors.lua")

test("a failure is told as problem details", function()
  local r = policy:timeout({ path = "/api/x" }, "response")
  expect_equal(r.status, 524)
  expect_equal(r.headers["content-type"], "application/problem+json")
  expect_equal({ r.headers["cache-control"], r.headers["retry-after"] }, { "no-store", "5" })
  local page = interim.json.decode(r.body)
  expect_equal({ page.status, page.kind }, { 524, "response" })
  expect_equal(page.title, "The service did not answer in time")
  expect_equal(type(page.id), "string")
end)

test("every kind has a title, and none tells of the origin", function()
  local function check(r)
    local page = interim.json.decode(r.body)
    expect_false(page.title == "The service failed")
    expect_nil(r.body:find("127.0.0.1", 1, true))
  end
  for _, kind in ipairs { "body", "connect", "send", "processing", "response", "exchange" } do
    check(policy:timeout({ path = "/rpc" }, kind))
  end
  for _, kind in ipairs { "refused", "unreachable", "closed", "bad_response", "no_upstream" } do
    check(policy:error({ path = "/rpc" }, kind))
  end
end)

test("other paths get the built-in page", function()
  expect_equal(policy:timeout({ path = "/" }, "response").decision, "page")
  expect_equal(policy:error({ path = "/apix" }, "refused").decision, "page")
end)

test("options may be left out, not misspelt", function()
  json_errors()
  expect_error(function() json_errors { path = "/" } end,
    "unknown option path; there are: paths, retry_after")
end)

test("wrong options are errors", function()
  for _, seconds in ipairs { -1, 0 / 0, 1 / 0, 0.5, "5" } do
    expect_error(function() json_errors { retry_after = seconds } end,
      "retry_after must be a whole number of seconds")
  end
  expect_error(function() json_errors { paths = "api/" } end,
    "paths must be the beginning of a path")
  expect_error(function() json_errors { paths = { "/", "api/" } } end,
    "paths%[2%] must be the beginning of a path")
end)
