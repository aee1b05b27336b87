local interim = require "interim"
local security_headers = require "interim.scripts.security_headers"
local policy = require("interim.test").load("policies/security_headers.lua")

local function after(path, headers)
  return policy:response({ path = path }, { headers = headers }).res.headers
end

test("the defaults are set, and what tells of the server goes", function()
  local headers = after("/", { server = "Apache/2.4", ["X-Powered-By"] = "PHP", ["x-kept"] = "1" })
  expect_equal(headers["x-content-type-options"], "nosniff")
  expect_equal(headers["x-frame-options"], "SAMEORIGIN")
  expect_equal(headers["referrer-policy"], "strict-origin-when-cross-origin")
  expect_equal({ headers.server, headers["x-powered-by"], headers["x-kept"] }, { nil, nil, "1" })
end)

test("what the origin has set itself stays", function()
  expect_equal(after("/", { ["X-Frame-Options"] = "DENY" })["x-frame-options"], "DENY")
end)

test("defaults can be changed, left out and added to", function()
  local headers = after("/own", { server = "Apache/2.4" })
  expect_nil(headers["x-frame-options"])
  expect_equal(headers["referrer-policy"], "no-referrer")
  expect_equal(headers["strict-transport-security"], "max-age=31536000")
  expect_equal(headers["x-content-type-options"], "nosniff")
  expect_equal(headers.server, "Apache/2.4")
end)

test("wrong options are errors", function()
  for name, value in pairs { a = 5, b = "1\n2", c = { "1", "2" } } do
    expect_error(function() security_headers { headers = { [name] = value } } end,
      'headers%["' .. name .. '"%] must be a text without control bytes')
  end
  for _, name in ipairs { 1, "x y", "", "Connection" } do
    expect_error(function() security_headers { headers = { [name] = "1" } } end,
      "the name in headers.* must be the name of a header field")
    expect_error(function() security_headers { remove = { "server", name } } end,
      "remove%[2%] must be the name of a header field")
  end
  expect_error(function() security_headers { headers = { ["X-Frame-Option"] = false } } end,
    "x%-frame%-option is no default")
  expect_error(function() security_headers { header = {} } end, "unknown option header")
  expect_error(function() security_headers { headers = { ["X-A"] = "1", ["x-a"] = "2" } } end,
    "headers has x%-a twice, in two spellings")
  expect_error(function() security_headers { z = 1, a = 2, y = 3, b = 4 } end, "unknown option a;")
  expect_error(function() security_headers { remove = 5 } end, "remove must be a text or a list")
end)

test("as a hook, without having been called, it says what is missing", function()
  local request = interim.json.null -- what a hook is given is a userdata, too
  expect_error(function() security_headers(request) end,
    "security_headers: it is no hook but makes one: call it with a table of options")
end)
