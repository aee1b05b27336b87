local websocket_origins = require "interim.scripts.websocket_origins"
local policy = require("interim.test").load("policies/websocket_origins.lua")

local function from(origin, path)
  return policy:upgrade { path = path or "/ws", headers = { origin = origin } }
end

test("listed origins pass, and websocket is offered to the origin server", function()
  for _, origin in ipairs {
    "https://app.example", "HTTPS://APP.example", "http://localhost:3000",
    "https://a.app.example", "https://a.b-1.app.example", "https://my_branch.app.example",
  } do
    expect_equal({ origin, from(origin).offers }, { origin, { "websocket" } })
  end
end)

test("others are answered 403", function()
  for _, origin in ipairs {
    "https://evil.example", "http://app.example", "https://app.example:8443", "null", "",
    "https://app.example.evil", "https://evilapp.example", "https://.app.example",
    "https://evil.example/.app.example", "https://evil@a.app.example", "https://a.app.example:1",
    "http://localhost", "https://*.app.example", "https://..app.example", "https://a..app.example",
  } do
    expect_equal({ origin, from(origin).status }, { origin, 403 })
  end
  expect_equal(from { "https://app.example", "https://evil.example" }.status, 403)
end)

test("without Origin only where that is allowed", function()
  expect_equal(from(nil).status, 403)
  expect_equal(from(nil, "/all").decision, "offer")
  expect_equal(from("https://evil.example", "/all").status, 403)
end)

test("an offer of something else is no concern of it", function()
  local r = policy:upgrade { headers = { upgrade = "h2c", connection = "upgrade" } }
  expect_equal(r.decision, "ordinary")
  r = policy:upgrade { headers = { upgrade = "h2c, WebSocket", connection = "upgrade" } }
  expect_equal(r.status, 403)
end)

test("what is no origin is an error when the policy is loaded", function()
  for _, origin in ipairs {
    "app.example", "https://app.example/", "https://*", "https://a.*.example", "*", "https://a b",
    "https://a.example?x", "https://a.example#x", "https://me@a.example", "https://.a.example",
    "https://b\195\188cher.example", "https://a.example:", "https://a.example:x", "https://",
    "https://*.", "https://*.*.a.example", "https://*.[::1]", "https://[::1", "wss://a.example",
    "https://a.example:443", "HTTP://a.example:80", "https://*.a.example:443",
  } do
    expect_error(function() websocket_origins { origins = { origin } } end,
      "origins%[1%] must be the origin of a web page")
  end
  websocket_origins { origins = {
    "http://[::1]:3000", "http://127.0.0.1:443", "https://a_b.example.", "app://localhost", "app://-",
    "chrome-extension://abcdef", "https://*.xn--bcher-kva.example:8443",
  } }
  expect_error(function() websocket_origins {} end, "the option origins is missing")
end)
