local maintenance = require "interim.scripts.maintenance"
local policy = require("interim.test").load("policies/maintenance.lua")

test("everybody gets 503 and the page", function()
  local r = policy:request { client = "192.0.2.1" }
  expect_equal({ r.status, r.body }, { 503, "<h1>Soon</h1>\n" })
  expect_equal(r.headers, {
    ["retry-after"] = "600",
    ["cache-control"] = "no-store",
    ["content-type"] = "text/html; charset=utf-8",
  })
end)

test("without a page of the policy's there is the built-in one", function()
  local r = policy:request { headers = { host = "plain" } }
  expect_equal({ r.status, r.headers["retry-after"], r.body }, { 503, "300", nil })
end)

test("uploads are refused before they are sent", function()
  expect_equal(policy:expect({ body_size = 10 }).status, 503)
end)

test("allowed clients and excepted paths pass", function()
  expect_equal(policy:request({ client = "10.1.2.3" }).decision, "go on")
  expect_equal(policy:request({ client = "::1" }).decision, "go on")
  expect_equal(policy:request({ client = "192.0.2.1", path = "/health" }).decision, "go on")
  expect_equal(policy:request({ client = "192.0.2.1", path = "/heal" }).status, 503)
  expect_equal(policy:request({ client = "unix:" }).status, 503)
end)

test("a path that leads away from an excepted one is not excepted", function()
  for _, path in ipairs {
    "/health/../admin", "/health/..", "/health/./../admin", "/health/%2e%2E/admin",
    "/health%2f..%2Fadmin", "/health/..\\admin", "/health/..;a=b/admin", "/health/%zz",
  } do
    local r = policy:request { client = "192.0.2.1", path = path }
    expect_equal({ path, r.status }, { path, 503 })
  end
  for _, path in ipairs { "/health/a..b/c", "/health/...", "/health/.well-known", "/health/a.b" } do
    local r = policy:request { client = "192.0.2.1", path = path }
    expect_equal({ path, r.decision }, { path, "go on" })
  end
end)

test("a wrong network is an error when the policy is loaded, in the line that gives it", function()
  local why = expect_error(function() maintenance { allow = { "10.0.0.0/8", "10.0.0.0/33" } } end)
  expect_match(why, "^scripts/maintenance_test.lua:%d+: maintenance: allow%[2%] must be an address")
  expect_match(why, "0 to 32")
  expect_error(function() maintenance { allow = { "10.0.0.0/8", nil, "bad" } } end,
    "allow%[2%] must be an address or a network, not nil")
  expect_error(function() maintenance { allowed = "10.0.0.0/8" } end, "unknown option allowed")
end)

test("wrong options are errors", function()
  for _, seconds in ipairs { -1, 0 / 0, 0.5 } do
    expect_error(function() maintenance { retry_after = seconds } end,
      "retry_after must be a whole number of seconds")
  end
  expect_error(function() maintenance { type = "a\r\nb", body = "x" } end,
    "type must be a text without control bytes")
  expect_error(function() maintenance { body = ("x"):rep(8 * 2 ^ 20 + 1) } end,
    "body must be a text of at most 8 MiB")
  expect_error(function() maintenance { except = "health" } end,
    "except must be the beginning of a path")
end)
