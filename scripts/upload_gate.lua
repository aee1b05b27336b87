-- upload_gate: who may send a body, how large, and of which type.
--
-- A hook for `request`. It is asked before any of the body is read: a client that waits for leave
-- (`Expect: 100-continue`) is refused before it sends any, others are cut short. Requests without a
-- body pass.
--
-- Options:
--   tokens     text or list, required: `Authorization: Bearer <token>` must hold one of them, else
--              401. `false`: no token is needed
--   max_size   number of bytes, for bodies of unknown length too, else 413. Default: no limit
--   types      text or list of media types, such as "image/png" or "image/*", else 415.
--              Default: all
--
-- Example:
--   local upload_gate = require "interim.scripts.upload_gate"
--   return {
--     listen = "127.0.0.1:8080", upstream = "127.0.0.1:9000",
--     request = upload_gate { tokens = "s3cret", max_size = 50e6, types = { "image/*" } },
--   }

local interim = require "interim"
local options = require "interim.scripts.options"

-- All tokens are compared, each in constant time: how long it takes tells nothing.
local function holds_token(field, tokens)
  local scheme, given = (field or ""):match("^(%a+) +(%S+)$")
  local found = false
  for _, token in ipairs(tokens) do
    found = interim.equal(given or "", token) or found
  end
  return found and scheme:lower() == "bearer"
end

local media_type = "^[%w!#$&^_.+-]+/[%w!#$&^_.+-]+$"

local function is_of_type(fields, types)
  local kind = interim.trim((fields[1] or ""):match("^[^;]*")):lower()
  if #fields ~= 1 or not kind:find(media_type) then return false end
  for _, wanted in ipairs(types) do
    wanted = wanted:lower()
    if kind == wanted then return true end
    if interim.ends(wanted, "/*") and interim.starts(kind, wanted:sub(1, -2)) then return true end
  end
  return false
end

local function is_size(number)
  return number >= 0 and number <= 9e15 -- as req.max_body
end

local function is_media_type(text)
  return text:gsub("/%*$", "/any"):find(media_type)
end

return function(given)
  local o = options("upload_gate", given, {
    tokens = { "list", of = { "word" }, required = true, off = true },
    max_size = { "number", is_size, "a number of bytes" },
    types = {
      "list",
      of = { "string", is_media_type, 'a media type: "image/png" or "image/*", no parameters' },
    },
  })

  return function(req)
    if req.body_size == 0 then return nil end
    if o.tokens and not holds_token(req.headers.authorization, o.tokens) then
      return { status = 401, headers = { ["www-authenticate"] = "Bearer" } }
    end
    if o.types and not is_of_type(req.headers:all("content-type"), o.types) then return 415 end
    if o.max_size then req.max_body = o.max_size end
  end
end
