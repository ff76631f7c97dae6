--- One connection, from request to answer to the next request: a coroutine that yields where something must happen
--- first, bytes must come, or the peer must take some.
local answer = require "http_answer"
local chunks = require "http_chunks"
local http = require "http_parser"
local iip = require "iip"
local run = require "run"

local HEAD_MAX = 8192
local PART = 65536

local Conn = {}
Conn.__index = Conn

--- What ends a coroutine early: the status of a last answer, or the end of the connection.
local function refuse(status) error { refused = status } end

local GONE = { gone = true }

function Conn:phase_is(phase)
  self.phase, self.since, self.progress = phase, run.now(), 0
end

-- ---- input: what is not read yet stays in its buffers, which closes the peer's window ----

-- The next bytes; nil at the end. `late` was set by whoever watches the clock.
function Conn:receive()
  while true do
    if self.late then refuse(408) end
    local event = self.inbox[self.first]
    if event then
      self.inbox[self.first] = nil
      self.first = self.first + 1
      local ok, bytes = pcall(event.recv, event)
      if not ok then error(GONE) end
      return bytes
    end
    if self.eof then return nil end
    coroutine.yield()
  end
end

-- More of what is looked at; false at the end.
function Conn:more()
  local bytes = self:receive()
  self.text = self.text .. (bytes or "")
  return bytes ~= nil
end

-- ---- output ----

-- When buffers are few, a connection whose peer does not take what it was offered gets no more of them.
function Conn:is_fed()
  if self.loop:state() & iip.STATE_POOL_LOW == 0 then return false end
  local info = run.attempt(iip.conn_info, self.handle)
  return info and info.unsent > 0
end

function Conn:write(bytes)
  while bytes ~= "" do
    while self:is_fed() do
      self.waits = true -- for the clock
      coroutine.yield()
    end
    self.waits = false
    local taken = run.attempt(iip.send, self.handle, bytes)
    if not taken then error(GONE) end
    self.progress = self.progress + taken
    self.app:count("bytes", taken)
    bytes = bytes:sub(taken + 1)
    if bytes ~= "" then
      self.blocked = true
      while self.blocked do coroutine.yield() end
    end
  end
end

function Conn:write_body(body)
  local at = 0
  while at < body.length do
    local part = body.read(at, math.min(PART, body.length - at))
    if not part then -- the length that was promised cannot be kept: let the client see that
      run.attempt(iip.conn_abort, self.handle)
      error(GONE)
    end
    at = at + #part
    self:write(part)
  end
end

function Conn:answer(made, head_only)
  self:phase_is "answer"
  self.app:count(made.status == 200 and "answers_ok" or "answers_refused")
  self:write(answer.head(made, self.keep))
  if not head_only then self:write_body(made.body) end
  made.body.close()
  self.body = nil
end

-- ---- requests ----

-- A whole head; nil when the peer said all.
function Conn:head()
  self:phase_is "idle"
  repeat
    self.text = self.text:gsub("^[\r\n]+", "") -- forgiven [RFC 9112 2.2]
  until self.text ~= "" or not self:more()
  if self.text == "" then return nil end
  self:phase_is "head"
  self.app:count "requests"
  if not self.text:find "^[A-z]" then refuse(400) end -- TLS, or noise: no need to wait for the rest
  local stop = http.head_end(self.text)
  while not stop do
    if #self.text >= HEAD_MAX then refuse(self.text:find "\n" and 431 or 414) end
    if not self:more() then return nil end
    stop = http.head_end(self.text)
  end
  if stop > HEAD_MAX then refuse(self.text:sub(1, HEAD_MAX):find "\n" and 431 or 414) end
  local head = self.text:sub(1, stop)
  self.text = self.text:sub(stop + 1)
  return head
end

-- The next bytes of the body; "" at its end.
function Conn:sized_body(left)
  return function()
    if left == 0 then return "" end
    if self.text == "" and not self:more() then refuse(400) end
    local part = self.text:sub(1, left)
    self.text = self.text:sub(#part + 1)
    left = left - #part
    return part
  end
end

function Conn:chunked_body()
  local state = chunks()
  return function()
    while true do
      local part, at = state:read(self.text, 1)
      self.text = self.text:sub(at)
      if state.state == "bad" then refuse(400) end
      if part ~= "" or state.state == "done" then return part end
      if self.text == "" and not self:more() then refuse(400) end
    end
  end
end

function Conn:read_body(request, made)
  local length, next = 0, request.chunked and self:chunked_body() or self:sized_body(request.length)
  self:phase_is "body"
  for part in next do
    if part == "" then break end
    length = length + #part
    self.progress = self.progress + #part
    if length > made.most then refuse(413) end
    if made.sink then made.sink:update(part) end
  end
  return length
end

-- The client waits for a word before it sends the body: "go on" for the sink, else the answer itself.
function Conn:go_on(request, made)
  if not request.expects then return true end
  if not made.sink then return false end
  self:write "HTTP/1.1 100 Continue\r\n\r\n"
  return true
end

function Conn:serve(head)
  local request, status = http.request(head)
  if not request then refuse(status) end
  local made = answer.of(self.config, request)
  local has_body, length = request.chunked or (request.length or 0) > 0, 0
  self.keep = request.keep
  self.body = made.body
  if (request.length or 0) > made.most then refuse(413) end
  if has_body and self:go_on(request, made) then
    length = self:read_body(request, made)
  elseif has_body then
    self.keep = false -- whether the body comes after a refusal is the client's choice
  end
  if made.sink then made.body = answer.of_sink(made.sink, length) end
  self:answer(made, request.method == "HEAD")
end

function Conn:requests()
  repeat
    local head = self:head()
    if head then self:serve(head) end
  until not head or not self.keep
end

-- Reading and forgetting until the peer's end: a close with unread input would be a RST, which may overtake the answer.
-- [RFC 9112 9.6]
function Conn:linger()
  run.attempt(iip.conn_shutdown, self.handle)
  self:phase_is "linger"
  self.late = false
  while self:receive() do end
end

function Conn:close_body()
  if self.body then self.body.close() end
  self.body = nil
end

-- Runs work; what refuses a request is answered, what ends the connection ends it quietly, mistakes of ours are raised.
function Conn:guarded(work, ...)
  local ok, why = pcall(work, self, ...)
  if ok or why == GONE then return end
  if type(why) ~= "table" or not why.refused then error(why, 0) end
  self:close_body()
  self.keep, self.late = false, false
  self:guarded(self.answer, answer.short(why.refused))
end

function Conn:life()
  self:guarded(self.requests)
  self:guarded(self.linger)
end

--- Goes on as far as it can.
function Conn:resume()
  if coroutine.status(self.thread) ~= "suspended" then return end
  local ok, why = coroutine.resume(self.thread)
  if not ok then error(debug.traceback(self.thread, tostring(why)), 0) end
end

--- After the CLOSED event.
function Conn:free()
  for i = self.first, self.last do self.inbox[i]:release() end
  self:close_body()
  coroutine.close(self.thread)
end

return function(app, config, loop, handle)
  local conn = setmetatable({
    app = app, config = config, loop = loop, handle = handle, inbox = {}, first = 1, last = 0, text = "", keep = true,
  }, Conn)
  conn:phase_is "idle"
  conn.thread = coroutine.create(function() conn:life() end)
  return conn
end
