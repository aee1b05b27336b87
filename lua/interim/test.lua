-- test: what test files see: `test`, the expectations, and policies to ask.
local ok, tool = pcall(require, "interim.tool")
if not ok then error("interim.test is for test files, which `interim test` runs", 0) end
local given = require "interim.given"
local way = require "interim.way"

local M = {
  tests = {},  -- { name =, run =, place = "file:12" }, for the runner
  logged = {}, -- lines of the policies asked, since the runner last emptied it
  allow = 0,   -- what policies may use beside the usual; the runner's
}

-- ---- expectations ----

local function show(value)
  if type(value) == "string" then
    return (("%q"):format(value):gsub("\\\n", "\\n"):gsub("%c", function(c)
      return ("\\%d"):format(c:byte())
    end))
  end
  if type(value) ~= "table" then return tostring(value) end
  local keys, parts = {}, {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for i, key in ipairs(keys) do
    if i > 8 then
      parts[#parts + 1] = "…"
      break
    end
    local part = type(value[key]) == "table" and "{…}" or show(value[key])
    parts[#parts + 1] = key == i and part or ("%s = %s"):format(
      type(key) == "string" and key:find("^[%a_][%w_]*$") and key or "[" .. show(key) .. "]", part)
  end
  return #parts == 0 and "{}" or "{ " .. table.concat(parts, ", ") .. " }"
end

local function step_down(path, key)
  if type(key) == "string" and key:find("^[%a_][%w_]*$") then return path .. "." .. key end
  return path .. "[" .. show(key) .. "]"
end

-- Adds a line for each place in which two values differ.
local function compare(lines, path, got, wanted, seen)
  if got == wanted then return end
  if type(got) ~= "table" or type(wanted) ~= "table" then
    lines[#lines + 1] = ("%sexpected %s, got %s"):format(path == "" and "" or path .. ": ",
      show(wanted), show(got))
    return
  end
  if seen[got] == wanted then return end
  seen[got] = wanted
  local keys, known = {}, {}
  for _, t in ipairs { wanted, got } do
    for key in pairs(t) do
      if not known[key] then keys[#keys + 1] = key end
      known[key] = true
    end
  end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(keys) do
    compare(lines, step_down(path, key), got[key], wanted[key], seen)
  end
end

local LINES_MAX = 20

function M.expect_equal(got, wanted)
  local lines = {}
  compare(lines, "", got, wanted, {})
  if #lines == 0 then return end
  local more = #lines - LINES_MAX
  if more > 0 then lines[LINES_MAX + 1] = ("and %d more"):format(more) end
  error(table.concat(lines, "\n", 1, math.min(#lines, LINES_MAX + 1)), 2)
end

function M.expect_true(got)
  if got ~= true then error("expected true, got " .. show(got), 2) end
end

function M.expect_false(got)
  if got ~= false then error("expected false, got " .. show(got), 2) end
end

function M.expect_nil(got)
  if got ~= nil then error("expected nil, got " .. show(got), 2) end
end

function M.expect_match(text, pattern)
  if type(text) ~= "string" or not text:find(pattern) then
    error(("expected text that matches %s, got %s"):format(show(pattern), show(text)), 2)
  end
end

-- Gives the error's text.
function M.expect_error(f, pattern)
  local fine, why = pcall(f)
  if fine then error("expected an error, got none", 2) end
  if pattern and not tostring(why):find(pattern) then
    error(("expected an error that matches %s, got %s"):format(show(pattern), show(why)), 2)
  end
  return why
end

function M.test(name, run)
  if type(name) ~= "string" or type(run) ~= "function" then
    error("test: a name and a function are needed: test(\"…\", function() … end)", 2)
  end
  M.tests[#M.tests + 1] = { name = name, run = run, place = tool.where(2) }
end

-- ---- policies ----

local Policy = {}
Policy.__index = Policy

local trials = setmetatable({}, { __mode = "k" })

local function trial_of(policy, name)
  local trial = type(policy) == "table" and trials[policy]
  if not trial then error(("call it as policy:%s { … }"):format(name), 4) end
  return trial
end

local function has(headers, wanted)
  for name in pairs(headers) do
    if type(name) == "string" and name:lower() == wanted then return true end
  end
  return false
end

-- A copy of the request, with the fields that make the proxy ask the hook.
local function request_for(hook, said)
  local request, headers = {}, {}
  for key, value in pairs(said) do request[key] = value end
  for name, value in pairs(said.headers or {}) do headers[name] = value end
  request.headers = headers
  if hook == "expect" then
    request.method = request.method or "PUT"
    if not has(headers, "expect") then headers.Expect = "100-continue" end
    if not has(headers, "content-length") and not has(headers, "transfer-encoding") then
      request.body_size = request.body_size or 1
    end
  elseif hook == "upgrade" then
    if not has(headers, "connection") then headers.Connection = "upgrade" end
    if not has(headers, "upgrade") then
      headers.Upgrade = "websocket"
      headers["Sec-WebSocket-Version"] = "13"
      headers["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
    end
  end
  return request
end

-- Who had the last word: the goal, or whoever ended the exchange before or after it.
local function outcome(walk, goal)
  for _, step in ipairs(walk.steps) do
    for _, line in ipairs(step.log or {}) do M.logged[#M.logged + 1] = line end
    if step.decision == "failed" then
      M.logged[#M.logged + 1] = { level = "error", text = "the " .. step.hook .. " hook failed: " .. step.error }
    end
  end
  local step = walk.steps[#walk.steps]
  if step.hook ~= goal and not walk.final then step = { hook = goal, decision = "not asked" } end
  step.default, step.defined, step.trouble = nil, nil, nil
  return step
end

local function ask(policy, hook, request, spec)
  local trial = trial_of(policy, hook)
  request = request or {}
  given.check_request(request, 3)
  spec = spec or {}
  for key, value in pairs(request_for(hook, request)) do spec[key] = value end
  local fine, walk = pcall(way.walk, trial, spec, hook)
  if not fine then error(walk, 3) end
  return outcome(walk, hook)
end

-- In parentheses: a tail call would take the caller's place, which errors name.
function Policy:request(request) return (ask(self, "request", request)) end
function Policy:expect(request) return (ask(self, "expect", request)) end
function Policy:upgrade(request) return (ask(self, "upgrade", request)) end

local function trouble_for(hook, t)
  if type(t) ~= "table" then t = { kind = t } end
  given.check_trouble(t, 3)
  return { trouble = t, trouble_hook = hook }
end

function Policy:timeout(request, t)
  return (ask(self, "timeout", request, trouble_for("timeout", t or "response")))
end

function Policy:error(request, e)
  return (ask(self, "error", request, trouble_for("error", e or "refused")))
end

function Policy:response(request, response)
  given.check_response(response or {}, 2)
  return (ask(self, "response", request, { response = response or {} }))
end

function Policy:log(request, result)
  given.check_result(result or {}, 2)
  return (ask(self, "log", request, { response = {}, result = result or {} }))
end

-- The path is relative to the test file.
function M.load(path)
  if type(path) ~= "string" then error("load: the path of a policy file is needed", 2) end
  local fine, trial = pcall(tool.trial, path, M.allow)
  if not fine then error(trial, 2) end
  local policy = setmetatable({}, Policy)
  trials[policy] = trial
  return policy
end

return M
