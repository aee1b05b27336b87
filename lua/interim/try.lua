-- try: `interim try`: one request, and what each hook of a policy decides about it.
local tool = require "interim.tool"
local interim = require "interim"
local way = require "interim.way"

local help = [[
interim try - ask a policy's hooks about one request, and print what each decides

Usage:
  interim try POLICY METHOD PATH [OPTION]...

Options:
  -H 'NAME: VALUE'      a field of the request; may be given several times
  --body-size N         announce a body of N bytes: Content-Length
  --client ADDRESS      who asks, with or without a port; otherwise 127.0.0.1
  --response STATUS     the origin answers with this status, and the response hook is asked
  -R 'NAME: VALUE'      a field of that response; may be given several times
  --timeout KIND        the origin is too slow: body, connect, send, response, processing, exchange
  --error KIND          it fails: refused, unreachable, closed, bad_response, no_upstream
  --allow NAMES         let the policy use what is kept from it otherwise, as `interim run` does:
                        io, os, ffi, jit, debug, load, separated by commas
  --json                print one JSON object
  --help                this text

The request is read as the proxy reads it, so a bad one shows what is wrong with it. It is HTTP/1.1
and has the field `Host: localhost` unless -H gives another one. Nothing is sent anywhere, and time
passes at once: interim.sleep does not wait. A `log` hook is asked once an answer is known.

Examples:
  interim try policy.lua GET /
  interim try policy.lua PUT /up -H 'Expect: 100-continue' -H 'Content-Length: 10'
  interim try policy.lua GET /api/x --timeout response

Exit status: 0, 1 when the policy cannot be loaded or one of its hooks failed, 2 when the command
line was wrong.
]]

-- ---- the command line ----

local valued = {
  "-H", "-R", "--body-size", "--client", "--response", "--timeout", "--error", "--allow",
}
local known = {
  "-H", "-R", "--body-size", "--client", "--response", "--timeout", "--error", "--allow", "--json", "--help",
}

local function wrong(...)
  error({ usage = string.format(...) }, 0)
end

local function split_option(word)
  for _, name in ipairs(valued) do
    if word == name then return name end
    if name:sub(1, 2) == "--" and interim.starts(word, name .. "=") then
      return name, word:sub(#name + 2)
    end
    if name:sub(1, 2) ~= "--" and #word > 2 and interim.starts(word, name) then
      return name, word:sub(3)
    end
  end
  wrong("unknown option %q%s", word, tool.hint(word, known))
end

local function number_from(name, value, least, most)
  local number = value:find("^%d+$") and #value < 16 and tonumber(value)
  if not number or number < least or number > most then
    wrong("%s takes a number from %.0f to %.0f, not %q", name, least, most, value)
  end
  return number
end

local function take_option(asked, name, value)
  if name == "-H" then
    table.insert(asked.lines, value)
  elseif name == "-R" then
    table.insert(asked.response_lines, value)
  elseif name == "--body-size" then
    asked.body_size = number_from(name, value, 0, 9e14)
  elseif name == "--client" then
    asked.client = value
  elseif name == "--response" then
    asked.response = { status = number_from(name, value, 200, 599) }
  elseif name == "--allow" then
    local allow, why = tool.allow(value)
    asked.allow = bit.bor(asked.allow, allow or wrong("%s", why))
  else
    asked.trouble = { kind = value }
    asked.trouble_hook = name:sub(3)
  end
end

local function parse(args)
  local asked = { lines = {}, response_lines = {}, allow = 0 }
  local words, i = {}, 1
  while args[i] do
    local word = args[i]
    if word == "--help" or word == "-h" then return { help = true } end
    if word == "--json" then
      asked.json = true
    elseif word:sub(1, 1) == "-" and #word > 1 then
      local name, value = split_option(word)
      if not value then
        i = i + 1
        value = args[i] or wrong("%s needs a value", name)
      end
      take_option(asked, name, value)
    else
      words[#words + 1] = word
    end
    i = i + 1
  end
  if #words ~= 3 then
    wrong("a policy file, a method and a path are needed: interim try policy.lua GET /")
  end
  asked.policy, asked.method, asked.path = words[1], words[2], words[3]
  if asked.response and asked.trouble then wrong("--response and --%s exclude each other", asked.trouble_hook) end
  if #asked.response_lines > 0 and not asked.response then wrong("-R needs --response STATUS") end
  if asked.response then asked.response.lines = asked.response_lines end
  return asked
end

-- ---- for people ----

local function paint(code, text)
  return tool.colours and ("\27[%sm%s\27[0m"):format(code, text) or text
end

local function clean(text)
  return (text:gsub("[%z\1-\8\11-\31\127]", function(c) return ("\\x%02x"):format(c:byte()) end))
end

local MARGIN = 13

-- A label in its column, then text; further lines of it below.
local function row(label, text, code)
  local pad = (" "):rep(math.max(MARGIN - 2 - #label, 1))
  local lines = clean(text):gsub("\n", "\n" .. (" "):rep(MARGIN))
  tool.write("  " .. paint("1", label) .. pad .. (code and paint(code, lines) or lines) .. "\n")
end

local function note(text)
  row("", text)
end

local function status_text(status)
  local reason = tool.reason(status)
  return reason == "" and tostring(status) or status .. " " .. reason
end

local BODY_SHOWN = 400

local function show_answer(step)
  local names = {}
  for name in pairs(step.headers or {}) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local values = step.headers[name]
    for _, value in ipairs(type(values) == "table" and values or { values }) do
      note(name .. ": " .. value)
    end
  end
  if not step.body then
    note("(the built-in page)")
  elseif #step.body > BODY_SHOWN then
    note(("%s… (%d bytes)"):format(step.body:sub(1, BODY_SHOWN), #step.body))
  elseif step.body ~= "" then
    note((step.body:gsub("\n$", "")))
  end
end

local function show_edits(step)
  for _, edit in ipairs(step.edits or {}) do
    local from = edit.from == nil and "none" or tostring(edit.from)
    local to = edit.to == nil and "none" or tostring(edit.to)
    note(("%s: %s -> %s"):format(edit.what, from, to))
  end
end

local explained = {
  ["go on"] = "goes on",
  forward = "forward: the origin is asked, its 100 or its refusal is passed on",
  continue = "continue: the proxy says 100, the origin sees an ordinary request",
  ordinary = "no upgrade: an ordinary request",
}

local function decision_text(step, fails_open)
  if step.decision == "failed" then
    local next = step.status and status_text(step.status) .. " is answered"
    if step.trouble then next = "the built-in page, " .. status_text(step.status) end
    if step.hook == "log" then next = "nothing else happens" end
    if not next and fails_open then next = "going on as if it had returned nil (on_error)" end
    return "failed: " .. step.error .. "\n" .. (next or ""), "31"
  end
  if step.decision == "answer" then return status_text(step.status), "33" end
  if step.decision == "page" then return "the built-in page, " .. status_text(step.status), "33" end
  if step.decision == "offer" then return "offers to the origin: " .. table.concat(step.offers, ", ") end
  return explained[step.decision]
end

local function show_step(step, fails_open)
  if step.hook == "proxy" then
    row("(proxy)", ("%s: %s"):format(status_text(step.status), step.error), "33")
    return
  end
  if not step.defined and (step.decision == "go on") then return end
  local text, code = decision_text(step, fails_open)
  if not step.defined then
    text = text .. " (the default: there is no such hook)"
  elseif step.default and step.decision ~= "go on" and step.decision ~= "page" then
    text = text .. " (the default: it returned nil)"
  end
  row(step.hook, text, code)
  if step.decision == "answer" then show_answer(step) end
  if step.trace then note(step.trace) end
  show_edits(step)
  if step.waited then note(("slept %g s"):format(step.waited)) end
  for _, line in ipairs(step.log or {}) do note(("| %s: %s"):format(line.level, line.text)) end
end

local why_not = {
  expect = "not asked: this request does not wait for 100",
  upgrade = "not asked: this request offers no other protocol",
  timeout = "not asked: see --timeout KIND",
  error = "not asked: see --error KIND",
  response = "not asked: see --response STATUS",
  log = "not asked: no answer is known yet; see --response STATUS",
}

-- Of a request that has such a field all the same.
local why_ignored = {
  expect = "not asked: a request without a body has nothing to wait for; see --body-size",
  upgrade = "not asked: Upgrade counts only with `Connection: upgrade`, and without a body",
}

local function reason_for(hook, lines)
  for _, line in ipairs(lines) do
    if line:lower():match("^[^:]*") == hook then return why_ignored[hook] or why_not[hook] end
  end
  return why_not[hook]
end

local function show_outcome(walk, state)
  local final = walk.final
  if not final then
    local query = state.query and "?" .. state.query or ""
    row("then", ("to upstream %s (%s) as %s %s%s"):format(state.upstream, walk.trial:origin(),
      walk.request.method, state.path, query))
  elseif walk.relayed then
    row("then", "the client gets the origin's response, " .. status_text(final.status))
  else
    row("then", "the client gets " .. status_text(final.status) ..
      (walk.sought and "" or "; no origin is asked"))
  end
end

local order = { "request", "expect", "upgrade", "timeout", "error", "response", "log" }

-- The steps as they were taken; between them, where they would have been, the hooks not asked.
local function show_steps(walk, lines)
  local over, skipped, at = walk.final and not walk.sought, {}, 1
  local function pass_over_up_to(asked)
    while order[at] and order[at] ~= asked do
      local hook = order[at]
      at = at + 1
      if why_not[hook] and walk.trial:has(hook) then
        if over then skipped[#skipped + 1] = hook else row(hook, reason_for(hook, lines), "2") end
      end
    end
    at = at + 1
  end

  for _, step in ipairs(walk.steps) do
    if step.hook ~= "proxy" then pass_over_up_to(step.hook) end
    show_step(step, walk.trial:fails_open())
  end
  pass_over_up_to(nil)
  if #skipped > 0 then row("not asked", table.concat(skipped, ", "), "2") end
end

local function show(walk, asked)
  tool.write(("%s %s%s\n\n"):format(clean(asked.method), clean(asked.path),
    walk.request and ", from " .. walk.request.client or ""))
  show_steps(walk, asked.lines)
  tool.write("\n")
  show_outcome(walk, walk.request and walk.trial:request() or {})
end

-- ---- for programs ----

local function print_json(walk)
  local final = walk.final
  for _, step in ipairs(walk.steps) do
    step.defined, step.default = step.defined or nil, step.default or nil
  end
  if walk.request and #walk.request.offers == 0 then walk.request.offers = nil end
  local origin = not final and walk.trial:request() or nil
  if origin then origin = { upstream = origin.upstream, path = origin.path, query = origin.query } end
  tool.write(interim.json.encode {
    request = walk.request,
    hooks = walk.steps,
    final = final and { status = final.status, by = walk.relayed and "origin" or final.hook },
    origin = origin,
  } .. "\n")
end

local function has_failed(walk)
  for _, step in ipairs(walk.steps) do
    if step.decision == "failed" then return true end
  end
  return false
end

local function run(asked)
  local loaded, trial, said = pcall(tool.trial, asked.policy, asked.allow)
  if not loaded then
    tool.complain(trial .. "\n")
    return 1
  end
  for _, line in ipairs(said) do
    tool.complain(("%s: %s: %s\n"):format(asked.policy, line.level, line.text))
  end
  local fine, walk = pcall(way.walk, trial, asked)
  if not fine then wrong("%s", walk) end
  if asked.json then print_json(walk) else show(walk, asked) end
  return has_failed(walk) and 1 or 0
end

local function main(args)
  local asked = parse(args)
  if not asked.help then return run(asked) end
  tool.write(help)
  return 0
end

return function(args)
  local fine, status = pcall(main, args)
  if fine then return status end
  if type(status) ~= "table" then error(status, 0) end
  tool.complain("interim try: " .. status.usage .. "\nTry `interim try --help`.\n")
  return 2
end
