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

test("a wrong network is an error when the policy is loaded", function()
  expect_error(function() maintenance { allow = "10.0.0.0/33" } end, "0 to 32")
  expect_error(function() maintenance { allowed = "10.0.0.0/8" } end, "unknown option allowed")
end)
