local upload_gate = require "interim.scripts.upload_gate"
local policy = require("interim.test").load("policies/upload_gate.lua")

local function upload(path, headers, size)
  return policy:request { method = "PUT", path = path, headers = headers, body_size = size or 10 }
end

local function png(token)
  return { authorization = token, ["content-type"] = "image/png" }
end

test("a known token, a good type and a small body pass, with the bound set", function()
  for _, token in ipairs { "Bearer one", "Bearer two", "bearer two", "Bearer  one" } do
    local r = upload("/all", png(token))
    expect_equal({ r.decision, r.req.max_body }, { "go on", 1000 })
  end
end)

test("anything but a known token is answered 401 with a challenge", function()
  for _, token in ipairs {
    "", "one", "Bearer", "Bearer three", "Bearer on", "Bearer onee", "Basic one", "Bearer one two",
    "Bearer ONE",
  } do
    local r = upload("/all", png(token))
    expect_equal({ token, r.status, r.headers["www-authenticate"] }, { token, 401, "Bearer" })
  end
  expect_equal(upload("/all", png(nil)).status, 401)
  expect_equal(upload("/all", png { "Bearer one", "Bearer one" }).status, 401)
end)

test("other types are answered 415, whatever their letter case and parameters", function()
  local function status(kind)
    return upload("/all", { authorization = "Bearer one", ["content-type"] = kind }).status
  end
  for _, kind in ipairs { "image/png", "IMAGE/Jpeg", "image/png; a=b", "text/plain;a=b" } do
    expect_nil(status(kind))
  end
  for _, kind in ipairs {
    "video/mp4", "text/html", "text/plainer", "image", "", "image/png, text/html", "image/",
    "image/*", "image/png/x", 'image/"png"',
  } do
    expect_equal({ kind, status(kind) }, { kind, 415 })
  end
  expect_equal(status(nil), 415)
  expect_equal(status { "image/png", "text/html" }, 415)
end)

test("a body that is too large is refused, before it is sent and at any length", function()
  local r = policy:expect { path = "/open", body_size = 1001 }
  expect_equal({ r.status, r.hook }, { 413, "proxy" })
  expect_equal(policy:expect({ path = "/open", body_size = 1000 }).decision, "forward")
  r = policy:request { path = "/open", headers = { ["transfer-encoding"] = "chunked" } }
  expect_equal(r.req.max_body, 1000)
end)

test("a client that waits for leave is refused before it sends anything", function()
  local r = policy:expect { path = "/token", body_size = 10 }
  expect_equal({ r.status, r.hook }, { 401, "request" })
end)

test("a request without a body passes", function()
  expect_equal(policy:request({ path = "/all" }).decision, "go on")
end)

test("tokens can be left out only on purpose", function()
  expect_equal(upload("/open").decision, "go on")
  expect_error(function() upload_gate { max_size = 5 } end, "the option tokens is missing")
  expect_error(function() upload_gate { tokens = {} } end, "tokens must not be an empty list")
  expect_error(function() upload_gate { tokens = "" } end,
    "tokens must be a text that is not empty")
end)

test("a token and a type that no request can have are errors", function()
  for _, token in ipairs { "my token", "a\n", "a\0b" } do
    expect_error(function() upload_gate { tokens = token } end, "holds no blank or control byte")
  end
  for _, kind in ipairs {
    "*/*", "*", "*/png", "image", "image/", "image/p*", "text/plain; charset=utf-8", "a/b, c/d",
  } do
    expect_error(function() upload_gate { tokens = "a", types = { "text/plain", kind } } end,
      "types%[2%] must be a media type")
  end
end)

test("a secret is not told in an error", function()
  local why = expect_error(function() upload_gate { tokens = { "s3cret one", 5 } } end)
  expect_match(why, "tokens%[1%] must be")
  expect_nil(why:find("s3cret", 1, true))
end)

test("a wrong option is an error in the line that gives it", function()
  local why = expect_error(function() upload_gate { tokens = "a", max_sise = 5 } end)
  expect_match(why, "upload_gate_test.lua:%d+: upload_gate: unknown option max_sise")
  why = expect_error(function() upload_gate { tokens = 5 } end)
  expect_match(why, "upload_gate_test.lua:%d+: upload_gate: tokens must be a text")
  expect_error(function() upload_gate() end, "expected a table of options")
  expect_error(function() upload_gate { tokens = "a", max_size = "50m" } end, "must be a number")
  for _, size in ipairs { -1, 0 / 0, 1 / 0, 9.001e15 } do
    expect_error(function() upload_gate { tokens = "a", max_size = size } end, "number of bytes")
  end
end)
