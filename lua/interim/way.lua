-- way: one request's way through the hooks of a policy, in the order in which the proxy asks them.
-- What a hook is asked, and what may follow, is as in core/proxy/request_way.c and response_way.c;
-- `interim try` and interim.test stand on this.
local tool = require "interim.tool"

local way = {}

local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

-- headers = { name = text or list } and lines = { "Name: value", … } as lines of a head.
local function add_fields(lines, spec)
  local given = {}
  for _, line in ipairs(spec.lines or {}) do
    lines[#lines + 1] = line
    given[(line:match("^([^:]*)") or ""):lower()] = true
  end
  for _, name in ipairs(sorted_keys(spec.headers or {})) do
    local values = spec.headers[name]
    if type(values) ~= "table" then values = { values } end
    for _, value in ipairs(values) do
      lines[#lines + 1] = name .. ": " .. value
      given[name:lower()] = true
    end
  end
  return given
end

local function request_head(spec)
  local target = spec.path or "/"
  if spec.query then target = target .. "?" .. spec.query end
  local lines = { ("%s %s HTTP/%s"):format(spec.method or "GET", target, spec.version or "1.1") }
  local given = add_fields(lines, spec)
  if not given.host then table.insert(lines, 2, "Host: localhost") end
  if spec.body_size then
    lines[#lines + 1] = ("Content-Length: %.0f"):format(spec.body_size)
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

local function response_head(spec)
  local status = spec.status or 200
  local reason = spec.reason or tool.reason(status)
  local lines = { ("HTTP/1.1 %d %s"):format(status, reason) }
  local given = add_fields(lines, spec)
  if not given["content-length"] and not given["transfer-encoding"] and status ~= 204 then
    lines[#lines + 1] = "Content-Length: 0"
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

-- { { name, value }, … } as a table from names in lower case to a text, or a list of several.
local function headers_of(fields)
  local headers = {}
  for _, field in ipairs(fields) do
    local name, value = field[1]:lower(), field[2]
    local before = headers[name]
    if before == nil then
      headers[name] = value
    elseif type(before) == "table" then
      before[#before + 1] = value
    else
      headers[name] = { before, value }
    end
  end
  return headers
end

local function joined(value)
  return type(value) == "table" and table.concat(value, ", ") or value
end

-- What a hook changed: { { what =, from =, to = }, … }, nil if nothing.
local function edits_of(before, after)
  local edits = {}
  for _, what in ipairs { "path", "query", "upstream", "max_body", "status" } do
    if before[what] ~= after[what] then
      edits[#edits + 1] = { what = what, from = before[what], to = after[what] }
    end
  end
  local all = {}
  for name in pairs(before.headers) do all[name] = true end
  for name in pairs(after.headers) do all[name] = true end
  for _, name in ipairs(sorted_keys(all)) do
    local from, to = joined(before.headers[name]), joined(after.headers[name])
    if from ~= to then edits[#edits + 1] = { what = "header " .. name, from = from, to = to } end
  end
  return #edits > 0 and edits or nil
end

local function snapshot(state)
  state.headers = headers_of(state.fields)
  state.fields = nil
  return state
end

local function list_or_nil(list)
  return #list > 0 and list or nil
end

local function without(text, prefix)
  return text:sub(1, #prefix) == prefix and text:sub(#prefix + 1) or text
end

-- The log's lines without what everyone knows: the request's id and the hook's name.
local function own_lines(log, id, hook)
  local lines = {}
  for _, line in ipairs(log) do
    local text = without(without(line.text, id .. ": "), hook .. " hook: ")
    lines[#lines + 1] = { level = line.level, text = text }
  end
  return lines
end

-- The engine's own line about a hook that failed is its last: what went wrong, the way there, and
-- behind a semicolon what happens next.
local function take_failure(lines)
  local last = table.remove(lines)
  local text = last and last.text:match("^the %a+ hook failed: (.*); [^;]*$") or "it failed"
  local why, trace = text:match("^(.-) < stack traceback: (.*)$")
  return why or text, trace and trace:gsub(" < ", "\n")
end

local default_decisions = {
  request = "go on", expect = "forward", timeout = "page", error = "page", response = "go on",
  log = "go on",
}

-- One exchange under way.
local Walk = {}
Walk.__index = Walk

function Walk:ask(hook)
  local verdict = self.trial:ask(hook)
  local lines = own_lines(verdict.log, self.trial:id(), hook)
  local step = { hook = hook, defined = self.trial:has(hook), waited = verdict.waited }
  step.decision = verdict.kind
  if verdict.kind == "default" then
    step.default = true
    step.decision = default_decisions[hook]
  end
  if verdict.kind == "failed" then step.error, step.trace = take_failure(lines) end
  if verdict.kind == "answer" then
    step.status = verdict.status
    step.headers = headers_of(verdict.fields)
    step.body = verdict.body
  end
  if verdict.offers then
    step.offers = list_or_nil(verdict.offers)
    if step.decision ~= "failed" then step.decision = step.offers and "offer" or "ordinary" end
  end
  step.log = list_or_nil(lines)
  self.steps[#self.steps + 1] = step
  return step
end

-- The proxy's own word, in the form of a hook's.
function Walk:proxy(status, why)
  local step = { hook = "proxy", decision = "answer", status = status, error = why }
  self.steps[#self.steps + 1] = step
  return step
end

-- Whether this step, just asked, ends the exchange with an answer from here.
function Walk:is_over(step)
  if step.decision == "failed" and not self.trial:fails_open() then step.status = 500 end
  if not step.status then return false end
  self.final = step
  return true
end

local asked_before_the_origin = { request = true, expect = true, upgrade = true }

-- Asks the hooks that come before the origin. True if it would be asked next, and is wanted.
function Walk:reaches_origin(goal)
  local trial = self.trial
  local before = snapshot(trial:request())
  local step = self:ask("request")
  step.req = snapshot(trial:request())
  step.edits = edits_of(before, step.req)
  if self:is_over(step) or goal == "request" then return false end
  local status, why = trial:request_over_limits()
  if status then
    self.final = self:proxy(status, why)
  elseif self.request.last_hop then
    self.final = self:proxy(self.request.method == "OPTIONS" and 200 or 405, "Max-Forwards is 0")
  elseif self.request.expects then
    self:is_over(self:ask("expect"))
  elseif #self.request.offers > 0 then
    self:is_over(self:ask("upgrade"))
  end
  return not self.final and not asked_before_the_origin[goal]
end

-- What is known of the trouble of this kind; `given` overrides it.
local function trouble_of(trial, given, wanted_hook)
  local kinds, found = {}, nil
  for _, known in ipairs(trial:troubles()) do
    if not wanted_hook or known.hook == wanted_hook then kinds[#kinds + 1] = known.kind end
    if known.kind == given.kind and (not wanted_hook or known.hook == wanted_hook) then
      found = known
    end
  end
  if not found then
    local kind = tostring(given.kind)
    local hint = tool.hint(kind, kinds)
    error(("there is no %s of the kind %q%s %s"):format(wanted_hook or "trouble", kind,
      hint == "" and "; there are" or hint .. " There are", table.concat(kinds, ", ")), 0)
  end
  local told = {
    kind = found.kind, status = found.status, after = found.after, elapsed = found.after,
    detail = "made up for a trial",
  }
  if found.kind ~= "no_upstream" then
    told.upstream, told.address = trial:request().upstream, trial:origin()
  end
  for key, value in pairs(given) do told[key] = value end
  return told, found.hook
end

function Walk:fail(given, wanted_hook)
  local told, hook = trouble_of(self.trial, given, wanted_hook)
  self.trial:set_trouble(told)
  self.sought, self.detail = told.kind ~= "no_upstream", told.detail
  local step = self:ask(hook)
  if step.decision ~= "answer" then step.status = told.status end
  step.trouble = told.kind
  self.final = step
end

function Walk:respond(given)
  local none = self.trial:respond(response_head(given))
  if none then error("the response is none: " .. none, 0) end
  self.sought, self.responded = true, true
  local before = snapshot(self.trial:response())
  local step = self:ask("response")
  step.res = snapshot(self.trial:response())
  step.edits = edits_of(before, step.res)
  if self:is_over(step) then return end
  local status, why = self.trial:response_over_limits()
  if status then
    self.final = self:proxy(status, why)
    return
  end
  step.status = step.res.status
  self.final = step
  self.relayed = true
end

function Walk:find(hook)
  for _, step in ipairs(self.steps) do
    if step.hook == hook then return step end
  end
end

-- What the proxy notes as the error: what a hook raised is in the log alone.
function Walk:noted_error()
  local final = self.final
  if self.detail then return self.detail end
  if self.relayed then return nil end
  if final.decision == "failed" then return ("the %s hook failed"):format(final.hook) end
  return final.status >= 400 and final.error or nil
end

-- What became of an expectation or an offer; nil if there was none, or if nothing was decided.
function Walk:noted(hook, decided)
  local step = self:find(hook)
  if not step then return nil end
  if step == self.final then return step.decision == "answer" and "refused" or nil end
  return decided(step)
end

-- Nothing is counted or timed here: those are 0.
function Walk:log(given)
  local told = {
    status = self.final.status,
    outcome = self.relayed and "upstream" or "here",
    error = self:noted_error(),
    upstream = self.sought and self.trial:request().upstream or nil,
    address = self.sought and self.trial:origin() or nil,
    expect = self:noted("expect", function(step)
      return step.decision == "continue" and "continue" or self.responded and "forward-final" or "forward"
    end),
    upgrade = self:noted("upgrade", function(step)
      return not step.offers and "ordinary" or self.responded and "declined" or "offered"
    end),
  }
  for key, value in pairs(given or {}) do told[key] = value end
  self.trial:set_result(told)
  self:ask("log")
end

-- Goes on until the hook `goal` was asked, if there is one, or as far as is known: spec.trouble
-- (spec.trouble_hook: whose kinds are meant) or spec.response say what the origin does.
-- Gives { request =, steps =, final = }: no `final` if it depends on the origin. Of that it says
-- whether it was `sought`, whether it `responded`, and whether the client gets this, `relayed`.
function way.walk(trial, spec, goal)
  local walk = setmetatable({ trial = trial, steps = {} }, Walk)
  local facts, status, why = trial:begin(request_head(spec), spec.client or "127.0.0.1")
  walk.request = facts
  if not facts then
    walk.final = walk:proxy(status, why)
  elseif walk:reaches_origin(goal) then
    if not trial:request().upstream then
      walk:fail { kind = "no_upstream", detail = "no upstream is set for this request" }
    elseif spec.trouble then
      walk:fail(spec.trouble, spec.trouble_hook)
    elseif spec.response then
      walk:respond(spec.response)
    end
  end
  if walk.final and (goal == nil or goal == "log") then walk:log(spec.result) end
  return walk
end

return way
