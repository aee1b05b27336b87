local policy = require("interim.test").load("policy.lua")

local function version_for(cookie, client)
  return policy:request({ headers = { cookie = cookie }, client = client }).req.upstream
end

test("a cookie decides", function()
  for user = 1, 20 do
    expect_equal(version_for(("user=%d; canary=yes"):format(user)), "next")
    expect_equal(version_for(("user=%d; canary=no"):format(user)), "present")
  end
end)

test("a user stays where they are, from any address", function()
  for user = 1, 20 do
    local cookie = "user=" .. user
    expect_equal(version_for(cookie, "10.0.0.1"), version_for(cookie, "192.0.2.7"))
  end
end)

test("about a fifth of the users gets the next version", function()
  local count = 0
  for user = 1, 500 do
    if version_for("user=" .. user) == "next" then count = count + 1 end
  end
  expect_true(count > 70 and count < 130)
end)
