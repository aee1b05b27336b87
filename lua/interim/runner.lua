-- runner: runs the tests of one file, each with a CPU budget of its own, and prints how it went:
-- as lines for people, as a JSON object a line, or as TAP.
local tool = require "interim.tool"
local interim = require "interim"
local M = require "interim.test"

local function paint(code, text)
  return tool.colours and ("\27[%sm%s\27[0m"):format(code, text) or text
end

-- Control bytes must not reach a terminal.
local function clean(text)
  return (text:gsub("[%z\1-\8\11-\31\127]", function(c) return ("\\x%02x"):format(c:byte()) end))
end

local function indented(text, margin)
  return margin .. clean(text):gsub("\n", "\n" .. margin) .. "\n"
end

local reports = {}

function reports.text(r)
  if r.ok then
    tool.write(("%s   %s: %s\n"):format(paint("32", "ok"), r.file, clean(r.name)))
    return
  end
  tool.write(("%s %s: %s\n"):format(paint("31", "FAIL"), r.place, clean(r.name)))
  tool.write(indented(r.message, "     "))
end

function reports.json(r)
  local line = tonumber(r.place:match(":(%d+)$"))
  tool.write(interim.json.encode {
    file = r.file, line = line, name = r.name, ok = r.ok, message = r.message,
  } .. "\n")
end

function reports.tap(r)
  local name = clean(r.name):gsub("[#\\]", "\\%0"):gsub("%s+", " ")
  tool.write(("%s %d - %s: %s\n"):format(r.ok and "ok" or "not ok", r.number, r.file, name))
  if not r.ok then tool.write(indented(r.place .. ": " .. r.message, "# ")) end
end

-- "file:12: text" apart; what has no place of its own happened in the test.
local function locate(why, file, place)
  why = type(why) == "string" and why or ("(the error is a %s value)"):format(type(why))
  if why:sub(1, #file + 1) == file .. ":" then
    local line, text = why:sub(#file + 2):match("^(%d+): (.*)$")
    if line then return file .. ":" .. line, text end
  end
  return place, (why:gsub("^interim:%d+: ", "")) -- the sandbox's own wrappers are no place
end

local function failed(r, why, place)
  r.ok = false
  r.place, r.message = locate(why, r.file, place)
  for _, line in ipairs(M.logged) do
    r.message = ("%s\nthe policy logged: %s: %s"):format(r.message, line.level, line.text)
  end
end

local function install()
  for name, value in pairs(M) do
    if name == "test" or name:find("^expect_") then _G[name] = value end
  end
  function print(...)
    local parts = {}
    for i = 1, select("#", ...) do parts[i] = tostring((select(i, ...))) end
    tool.complain(clean(table.concat(parts, "\t")) .. "\n")
  end
end

-- How many passed, how many failed. `number`: of the first result, for TAP; `allow`: to policies.
return function(file, form, number, allow)
  local report, passed, broken = reports[form], 0, 0
  local function count(r)
    r.file, r.number = file, number + passed + broken
    if r.ok then passed = passed + 1 else broken = broken + 1 end
    report(r)
  end

  install()
  M.allow = allow
  local fine, why = tool.attempt(tool.run_script)
  if not fine then
    local r = { name = "the file cannot be run", file = file }
    failed(r, why, file)
    count(r)
    return passed, broken
  end
  if #M.tests == 0 then
    count { name = "there is no test in it", ok = false, place = file,
            message = "write test(\"what it shows\", function() … end)" }
  end
  for _, t in ipairs(M.tests) do
    M.logged = {}
    local r = { name = t.name, ok = true, place = t.place, file = file }
    fine, why = tool.attempt(t.run)
    if not fine then failed(r, why, t.place) end
    count(r)
  end
  return passed, broken
end
