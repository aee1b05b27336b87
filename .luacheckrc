-- What luacheck takes for granted about the Lua files here.
std = "luajit"

-- What a test file finds (lua/interim/test.lua).
files["**/*_test.lua"].read_globals = {
  "test", "expect_equal", "expect_true", "expect_false", "expect_nil", "expect_match", "expect_error",
}

-- It makes those for test files, and a print that writes where they want it.
files["lua/interim/runner.lua"].globals = { "print" }

-- Declarations for editors: nothing in it runs, so arguments and tables are there to be described
-- only, and a description of a field is one line by its format, however long.
files["lua/interim/types.lua"] = {
  globals = files["**/*_test.lua"].read_globals,
  ignore = { "212", "241", "631" },
}

-- How a hook is written stands there for whoever reads it first: with its argument.
files["examples/quickstart/policy.lua"].ignore = { "212/req" }
