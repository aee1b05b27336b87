local canary = require "interim.scripts.canary"
local policy = require("interim.test").load("policies/canary.lua")

local function goes(path, client, headers)
  return policy:request({ path = path, client = client, headers = headers }).req.upstream
end

local function client(n)
  return ("10.0.%d.%d"):format(math.floor(n / 250), n % 250 + 1)
end

test("about that share of the clients goes there, and stays there", function()
  local count = 0
  for n = 1, 500 do
    local place = goes("/tenth", client(n))
    expect_equal(goes("/tenth", client(n)), place)
    if place == "canary" then count = count + 1 end
  end
  expect_true(count > 25 and count < 75)
end)

test("a larger share only adds clients", function()
  for n = 1, 300 do
    if goes("/tenth", client(n)) == "canary" then
      expect_equal(goes("/half", client(n)), "canary")
    end
  end
end)

test("a client decides for itself in the header", function()
  expect_equal(goes("/asked", "10.0.0.1", { ["x-canary"] = "always" }), "canary")
  expect_equal(goes("/asked", "10.0.0.1"), "app")
  expect_equal(goes("/asked", "10.0.0.1", { ["x-canary"] = "maybe" }), "app")
  expect_equal(goes("/all", "10.0.0.1", { ["x-canary"] = "never" }), "app")
  expect_equal(goes("/all", "10.0.0.1"), "canary")
end)

test("without the option the header means nothing", function()
  for n = 1, 50 do
    expect_equal(goes("/tenth", client(n), { ["x-canary"] = "always" }), goes("/tenth", client(n)))
  end
end)

test("a key of the policy's own stands in for the address", function()
  local seen = {}
  for n = 1, 50 do
    local place = goes("/user", client(n), { ["x-user"] = "user" .. n })
    expect_equal(goes("/user", client(n + 50), { ["x-user"] = "user" .. n }), place)
    seen[place] = true
  end
  expect_equal(seen, { app = true, canary = true })
end)

test("a key that is no text is an error that names the option", function()
  expect_match(policy:request({ path = "/keyless" }).error, "key must be a function that returns")
end)

test("wrong options are errors", function()
  expect_error(function() canary { share = 0.5 } end, "the option upstream is missing")
  for _, share in ipairs { -0.1, 1.1, 5, 0 / 0 } do
    expect_error(function() canary { upstream = "canary", share = share } end, "from 0 to 1")
  end
  expect_error(function() canary { upstream = "a", share = "5%" } end, "share must be a number")
  expect_error(function() canary { upstream = "" } end, "upstream must be a text that is not empty")
  for _, header in ipairs { "", "x canary", "x-canary:", "host" } do
    expect_error(function() canary { upstream = "a", header = header } end,
      "header must be the name of a header field")
  end
  expect_error(function() canary { upstream = "a", key = "x" } end, "key must be a function")
end)
