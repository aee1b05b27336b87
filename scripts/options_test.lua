local options = require "interim.scripts.options"

-- What a script is told that has the rule for its option `x`, and is given `value`.
local function read(rule, value)
  local o = options("some", { x = value }, { x = rule })
  return o.x
end

local function expect_fault(rule, value, why)
  expect_error(function() read(rule, value) end, why)
end

test("a list may be one text, and every item is held against the rule", function()
  expect_equal(read({ "list" }, "a"), { "a" })
  expect_equal(read({ "list" }, { "a", "b" }), { "a", "b" })
  expect_fault({ "list" }, 5, "some: x must be a text or a list of texts, not 5")
  expect_fault({ "list" }, {}, "x must not be an empty list")
  expect_fault({ "list" }, { "a", "" }, "x%[2%] must be a text that is not empty")
  expect_fault({ "list" }, { "a", { "b" } }, "x%[2%] must be a text that is not empty, not a table")
  expect_fault({ "list", of = { "word" } }, { "a", "b c" }, "x%[2%] must be a text .* no blank")
end)

test("a list has no holes, and no keys that are not positions", function()
  expect_fault({ "list" }, { "a", nil, "c" }, "x%[2%] must be a text that is not empty, not nil")
  expect_fault({ "list" }, { nil, "b" }, "x%[1%] must be a text that is not empty, not nil")
  expect_fault({ "list" }, { [0] = "a", "b" }, "x%[2%] must be a text that is not empty, not nil")
  expect_fault({ "list" }, { "a", [1.5] = "b" }, "x%[2%] must be a text that is not empty, not nil")
  expect_fault({ "list" }, { "a", old = "b" }, "x must be a list, and one of its keys")
  expect_fault({ "list" }, { "a", [true] = "b" }, "x must be a list, and one of its keys")
end)

test("a map has names and values", function()
  local rule = { "map", keys = { "word" }, of = { "number", off = true } }
  expect_equal(read(rule, { a = 1, b = false }), { a = 1, b = false })
  expect_fault(rule, "a", "x must be a table")
  expect_fault(rule, { ["a b\n"] = 1 }, 'the name in x%["a b%?"%] must be a text .* no blank')
  expect_fault(rule, { a = "1" }, 'x%["a"%] must be a number')
end)

test("every kind says what it takes", function()
  local kinds = {
    word = { { "a", "a=/+", "\195\188" }, { "", "a b", "\t", "a\127", 5 } },
    ["field name"] = { { "X-A", "a!#$%&'*+.^_`|~0" }, { "", "a b", "a:", "\195\188", "TE", 5 } },
    ["field value"] = { { "", "a b", "\t", "\195\188" }, { "a\n", "\0", "\127", true } },
    network = { { "10.0.0.1", "10.0.0.0/8", "unix:" }, { "", "a", "10.0.0.1/8", "::1/129", 5 } },
    path = { { "/", "/a/%20;b=c" }, { "", "a", "*", "/a b", "/a?b", "/a#b", "/\195\188", 5 } },
    seconds = { { 0, 1, 1e6 }, { -1, 0.5, 0 / 0, 1 / 0, -1 / 0, 1e300, "5" } },
  }
  for kind, values in pairs(kinds) do
    for _, good in ipairs(values[1]) do expect_equal(read({ kind }, good), good) end
    for _, bad in ipairs(values[2]) do expect_fault({ kind }, bad, "some: x must be ") end
  end
end)

test("a script has rules of its own", function()
  local digits = { "string", "^%d+$", "a text of digits" }
  expect_equal(read(digits, "5"), "5")
  expect_fault(digits, "a", "x must be a text of digits$")
  expect_fault(digits, 5, "x must be a text of digits, not 5")
  local small = { "number", function(n) return n < 5 end, "a small number" }
  expect_equal(read(small, 4), 4)
  expect_fault(small, 5, "x must be a small number, not 5")
  expect_fault(small, {}, "x must be a small number, not a table")
end)

test("what is not given has its default, and false is nothing where it may be given", function()
  expect_equal(read({ "text", default = "a" }, nil), "a")
  expect_nil(read({ "text", default = "a", off = true }, false))
  expect_fault({ "text" }, false, "x must be a text that is not empty, not false")
  expect_equal(read({ "boolean" }, false), false)
end)

test("of several faults it is always the same that is told", function()
  for _ = 1, 10 do
    expect_error(function() options("some", { z = 1, b = 2, y = 3 }, { a = { "text" } }) end,
      "unknown option b; there are: a")
    expect_fault({ "map", keys = { "word" }, of = { "word" } }, { z = 1, b = 2, y = 3 },
      'x%["b"%] must be')
    local rules = { z = { "text" }, b = { "text" } }
    expect_error(function() options("some", { z = 1, b = 2 }, rules) end, "some: b must be")
  end
end)
