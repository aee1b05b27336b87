local interim = require "interim"
local basic_auth = require "interim.scripts.basic_auth"
local policy = require("interim.test").load("policies/basic_auth.lua")

local function with(field)
  return policy:response { headers = { authorization = field } }
end

local function pair(text)
  return "Basic " .. interim.base64.encode(text)
end

test("who knows the password passes, and is known", function()
  expect_equal(with(pair "alice:secret").res.headers["x-user"], "alice")
  expect_equal(with(pair "bob:a:b").res.headers["x-user"], "bob")
  expect_equal(with("bAsIc  " .. interim.base64.encode "bob:a:b").res.headers["x-user"], "bob")
end)

test("everybody else is asked for it", function()
  local twice = pair "alice:secret" .. ", " .. pair "alice:secret"
  for _, field in ipairs {
    pair "alice:wrong", pair "alice:", pair "alice", pair ":secret", pair "mallory:secret",
    pair "", pair "bob:a", pair "Alice:secret", "Basic", "Basic !", "Bearer abc", "", twice,
  } do
    local r = with(field)
    expect_equal({ field, r.status, r.hook }, { field, 401, "request" })
    expect_equal(r.headers["www-authenticate"], 'Basic realm="stage", charset="UTF-8"')
  end
  expect_equal(with(nil).status, 401)
end)

test("a name nobody has is not let in by the hash that stands in for it", function()
  expect_equal(with(pair ":").status, 401)
  expect_equal(with("Basic ").status, 401)
end)

test("what cannot be right is an error when the policy is loaded", function()
  local hash = interim.sha256("a:b")
  for _, known in ipairs { "b", ("g"):rep(64), hash .. "0", true } do
    expect_error(function() basic_auth { users = { a = known } } end,
      'users%["a"%] must be 64 hex digits')
  end
  expect_error(function() basic_auth { users = { ["a:b"] = hash } } end,
    'the name in users%["a:b"%] must be a text without ":"')
  expect_error(function() basic_auth { users = { hash } } end,
    "the name in users%[1%] must be a text")
  expect_error(function() basic_auth { users = {} } end, "users must not be empty")
  for _, realm in ipairs { '"', "a\\b", "a\nb", 5 } do
    expect_error(function() basic_auth { users = { a = hash }, realm = realm } end,
      "realm must be a text without quotes")
  end
  expect_error(function() basic_auth {} end, "the option users is missing")
end)
