---@meta interim
--
-- What policies for the proxy interim are made of, for the Lua language server (LuaLS). Written by
-- `interim types`; do not edit. Above the table that a policy returns, write
--
--   ---@type interim.policy
--
-- and the editor completes and checks its fields, hooks and what hooks are given.

---A number of seconds, or a text: "250ms", "100s", "5m", "1h".
---@alias interim.seconds number|string

---A number of bytes, or a text in powers of 1024: "64k", "50m", "1g".
---@alias interim.bytes integer|string

---"127.0.0.1:8080", "[::1]:8080", "name:8080", "unix:/run/app.sock".
---@alias interim.address string

---The table that a policy file returns.
---@class (exact) interim.policy
---@field listen interim.address|integer|(interim.address|integer)[] Where clients connect; a port alone means all addresses.
---@field upstreams? table<string, interim.address|interim.address[]|interim.upstream> Names for origins.
---@field upstream? string A name or an address: where requests go unless `request` sets another.
---@field workers? integer|"auto" Worker processes; "auto": one per CPU.
---@field timeouts? interim.timeouts How long to wait for what.
---@field limits? interim.limits How much is too much.
---@field statuses? "default"|"standard"|"cloudflare" Which status tells of which failure.
---@field access_log? "text"|"json"|false The form of the access log.
---@field admin? interim.address|integer|interim.admin Where the admin listener is; without it there is none.
---@field trusted_proxies? string|string[] Peers whose Forwarded and X-Forwarded-* fields are kept.
---@field proxy_protocol? boolean Peers in trusted_proxies begin with a PROXY header, which says who the client is.
---@field via? string|false|interim.via The pseudonym in Via; false leaves the field out.
---@field on_error? "deny"|"default" What a failing hook means: refuse with 500, or go on as if it had returned nil.
---@field drain? interim.seconds How long exchanges may go on after SIGTERM.
---@field user? string Whom the workers run as, if started as root.
---@field jit? boolean Compile hooks; no CPU budget holds any more.
---@field request? fun(req: interim.request): interim.answer? Asked for every request, before anything is routed.
---@field expect? fun(req: interim.request): "forward"|"continue"|interim.answer? Asked when the client waits for leave to send its body.
---@field upgrade? fun(req: interim.request): string|string[]|boolean|interim.answer? Asked when the client offers another protocol.
---@field timeout? fun(req: interim.request, t: interim.trouble): interim.answer? Asked for the page when a timeout has passed.
---@field error? fun(req: interim.request, e: interim.trouble): interim.answer? Asked for the page when the origin fails in another way.
---@field response? fun(req: interim.request, res: interim.response): interim.answer? Asked when the head of the final response is in.
---@field log? fun(req: interim.request, res: interim.result) Asked when the exchange is over.

---@class (exact) interim.upstream
---@field addresses interim.address|interim.address[]
---@field balance? "round_robin"|"least" Take addresses in turn, or the one with the fewest requests under way.
---@field timeouts? interim.upstream_timeouts Those it does not name are the general ones.
---@field proxy_protocol? "v1"|"v2" Begin every connection with a PROXY header; each is used once.

---@class (exact) interim.admin
---@field listen interim.address|integer Where it is.
---@field public? boolean true lets it be an address that other machines can reach.

---@class (exact) interim.via
---@field name? string The pseudonym.
---@field responses? boolean false leaves the field out of responses.

---@class (exact) interim.timeouts
---@field header? interim.seconds From the first byte of a request head to its end: 408.
---@field idle? interim.seconds Between two requests on a client connection: close.
---@field body? interim.seconds No progress on the request body: 408.
---@field connect? interim.seconds To a connection to the origin: 522.
---@field send? interim.seconds The origin takes no bytes of the request: 522.
---@field response? interim.seconds From the request sent to the head of the final response: 524.
---@field processing? interim.seconds The same from the latest 102 on: 522.
---@field exchange? interim.seconds From the request head to the head of the final response, whatever comes in between: 524.
---@field stall? interim.seconds No progress on the response body: the connection is cut short.
---@field half_close? interim.seconds The client has ended its sending side, to the end.
---@field tunnel? interim.seconds No byte either way after an upgrade: close.
---@field hook? interim.seconds A hook that waits: 500.
---@field continue? interim.seconds The origin has said nothing to a forwarded expectation: a 100 of our own. 0: never.
---@field linger? interim.seconds A closing connection reads on and discards.
---@field upstream_idle? interim.seconds An origin connection without work: closed.
---@field processing_restarts? boolean Each further 102 begins `processing` anew.

---@class (exact) interim.upstream_timeouts
---@field body? interim.seconds
---@field connect? interim.seconds
---@field send? interim.seconds
---@field response? interim.seconds
---@field processing? interim.seconds
---@field stall? interim.seconds
---@field tunnel? interim.seconds
---@field continue? interim.seconds
---@field upstream_idle? interim.seconds
---@field processing_restarts? boolean

---@class (exact) interim.limits
---@field request_line? interim.bytes 414 beyond it.
---@field head? interim.bytes 431 beyond it; a response: 502.
---@field fields? integer 431 beyond it; a response: 502.
---@field interim? integer Interim responses in one exchange: 502.
---@field interim_bytes? interim.bytes Their heads together: 502.
---@field linger_bytes? interim.bytes What a closing connection reads and discards.
---@field upstream_idle? integer Connections without work, per address and worker.
---@field policy_memory? interim.bytes Of one loaded policy.
---@field hook_cpu? interim.seconds A hook's time on the CPU at a stretch.
---@field generations? integer Loaded policies alive at once.
---@field connections? integer Of clients, in all workers together.
---@field connections_per_address? integer Of one client address, in one worker: 503. 0: any number.
---@field requests? integer On one client connection: it closes after the last. 0: any number.
---@field buffered? interim.bytes Waiting for slow clients and origins in one worker.

---A final answer: a status from 200 to 599, or a table.
---@alias interim.answer integer|interim.answer_table

---@class (exact) interim.answer_table
---@field status integer 200 to 599.
---@field headers? table<string, string|string[]>
---@field body? string Without it, there is a built-in page for the status.

---Names are compared without regard to case; several fields of a name are joined by ", ".
---@class interim.headers
---@field [string] string|string[]|nil
local headers = {}

---The values of all fields of that name, in order.
---@param name string
---@return string[]
function headers:all(name) end

---For a loop: name and value of every field in order, as they are when it begins.
---@return fun(): string?, string?
function headers:each() end

---@class (exact) interim.client
---@field address string Of the peer, without port; "" on a unix socket.
---@field port integer? nil on a unix socket.

---The request: good while a hook of its exchange runs.
---@class (exact) interim.request
---@field method string
---@field target string As the client sent it.
---@field path string Begins with "/", or is "*"; as sent, not decoded; may be set in `request`.
---@field query string? Behind the "?", not decoded; may be set in `request`.
---@field version "1.1"|"1.0"
---@field scheme "http"
---@field host string Host, and port if one was given.
---@field headers interim.headers Its fields can be assigned in `request`.
---@field client interim.client
---@field body_size integer? Bytes; 0 without a body, nil when chunked.
---@field upgrade string[] The protocols offered.
---@field expects_continue boolean The client waits for leave to send its body.
---@field id string Which request this is; also in the access log, every log line, and what the origin gets as X-Request-Id.
---@field upstream string? Name of the upstream; may be set in `request`.
---@field max_body interim.bytes? nil: no limit; may be set in `request`.
---@field ctx table The policy's own: what one hook puts there, later hooks of the exchange find.

---The response, in `response`.
---@class (exact) interim.response
---@field status integer May be set.
---@field reason string As the origin sent it.
---@field headers interim.headers Its fields can be assigned.
---@field body_size integer? nil when the length is not known.
---@field upstream string? Name of the upstream.

---What went wrong, in `timeout` and `error`.
---@class (exact) interim.trouble
---@field kind "body"|"connect"|"send"|"response"|"processing"|"exchange"|"refused"|"unreachable"|"closed"|"bad_response"|"no_upstream"
---@field status integer Of the built-in page.
---@field after number Seconds the timeout is set to; 0 in `error`.
---@field elapsed number Seconds since the end of the request head.
---@field upstream string? Name of the upstream.
---@field address string? Address tried last.
---@field detail string? For people: what was tried and what happened.
---@field interims integer How many interim responses came.
---@field last_interim integer? The code of the last.
---@field bytes_sent integer Bytes of the request body that went to the origin.

---How the exchange ended, in `log`.
---@class (exact) interim.result
---@field status integer? Sent to the client; nil: none was.
---@field outcome "upstream"|"here"|"aborted"|"cut"
---@field error string? What went wrong.
---@field upstream string? Name of the upstream.
---@field address string? Address of the origin.
---@field expect string? What became of the expectation.
---@field upgrade string? The protocol switched to, or what became of the offer.
---@field interims integer[] Codes of the first interim responses.
---@field interim_count integer Of all interim responses.
---@field bytes_in integer Bytes of the request's body.
---@field bytes_out integer Bytes of the response's body.
---@field tunnel_in integer Bytes from the client to the origin, after an upgrade.
---@field tunnel_out integer Bytes from the origin to the client.
---@field elapsed number Seconds, from the end of the request head.
---@field connect number Seconds it took to connect; 0 for a connection used again.
---@field first_byte number Seconds to the first byte of any response; 0: none came.
---@field reused boolean The connection to the origin was used before.

---@class interim
local interim = { json = {}, base64 = {}, ip = {}, url = {}, cookie = {}, time = {} }

---Writes one line to standard error; the level is "info" if there is none.
---@param level "debug"|"info"|"warning"|"error"
---@param text string|number|boolean|nil
---@overload fun(text: string|number|boolean|nil)
function interim.log(level, text) end

---Seconds since 1970.
---@return number
function interim.now() end

---Seconds since some fixed point; never goes back.
---@return number
function interim.monotonic() end

---Waits, in a hook, without holding up the worker.
---@param seconds number 0 to 3600
function interim.sleep(seconds) end

---Without the white space at both ends.
---@param s string
---@return string
function interim.trim(s) end

---Empty pieces are kept. The separator is plain text.
---@param s string
---@param separator string
---@return string[]
function interim.split(s, separator) end

---@param s string
---@param prefix string
---@return boolean
function interim.starts(s, prefix) end

---@param s string
---@param suffix string
---@return boolean
function interim.ends(s, suffix) end

---SHA-256, as 64 hex digits.
---@param s string
---@return string
function interim.sha256(s) end

---HMAC with SHA-256, as 64 hex digits.
---@param key string
---@param s string
---@return string
function interim.hmac(key, s) end

---Compares secrets: how long it takes tells whether the lengths differ and nothing else.
---@param a string
---@param b string
---@return boolean
function interim.equal(a, b) end

---null inside tables, in both directions.
---@type lightuserdata
interim.json.null = nil

---@param value any
---@return string
function interim.json.encode(value) end

---@param text string
---@return any
function interim.json.decode(text) end

---@param s string
---@return string
function interim.base64.encode(s) end

---nil: not base64.
---@param text string
---@return string?
function interim.base64.decode(text) end

---Whether an address lies in a network or in one of a list; nil: it is no address.
---@param address string
---@param networks string|string[]
---@return boolean?
function interim.ip.match(address, networks) end

---nil: not percent-encoded.
---@param text string
---@return string?
function interim.url.decode(text) end

---@param s string
---@return string
function interim.url.encode(s) end

---Names that come more than once have a list; nil: not percent-encoded.
---@param query string?
---@return table<string, string|string[]>?
function interim.url.parse_query(query) end

---@param field string?
---@return table<string, string>
function interim.cookie.parse(field) end

---Seconds since 1970 as HTTP writes a date.
---@param seconds number
---@return string
function interim.time.http(seconds) end

---Seconds since 1970; nil: no HTTP date.
---@param text string
---@return number?
function interim.time.parse(text) end

-- ---- in test files, for `interim test` ----

---@param name string
---@param run fun()
function test(name, run) end

---Compares tables by what is in them.
function expect_equal(got, wanted) end

---true itself, not whatever counts as true.
function expect_true(got) end

---false itself, not nil.
function expect_false(got) end

function expect_nil(got) end

---@param text string
---@param pattern string
function expect_match(text, pattern) end

---Gives the error.
---@param f fun()
---@param pattern? string
---@return any
function expect_error(f, pattern) end

return interim
