--- What iip_load says on a connection, and what it must hear: messages that come back, a stream one way, HTTP requests.
---
--- A talk is made by talk(plan, conn, load); conn.sent and conn.allowed are positions in the stream that goes out.
--- Its functions: start, out(n) (bytes to send now), take(bytes), fin (the peer said all), idle (nothing more to do).
local http = require "http_parser"
local pattern = require "pattern"
local run = require "run"

local ENDLESS = math.maxinteger

local Talk = {}
Talk.__index = Talk

function Talk:start() end

function Talk:fin() end

function Talk:out(n) return pattern(self.conn.sent, n) end

function Talk:wrong(what)
  self.load:mismatch(self.conn, ("%s at byte %d of a connection"):format(what, self.conn.received))
end

function Talk:verify(bytes, at)
  if bytes ~= pattern(at, #bytes) then
    self:wrong "a wrong byte"
    return false
  end
  self.load.result.bytes = self.load.result.bytes + #bytes
  return true
end

local function class(parent)
  local made = setmetatable({}, parent)
  made.__index = made
  return made
end

-- ---- messages: so many on their way at a time, each with the time when it began ----

local Messages = class(Talk)

function Messages:begin()
  local load = self.load
  if load.over or load.quota <= 0 then return end
  load.quota = load.quota - 1
  self.started = self.started + 1
  self.stamps[self.started] = run.now()
  self.conn.allowed = self.conn.allowed + self.unit
end

function Messages:finish()
  local result = self.load.result
  self.finished = self.finished + 1
  result.latency:add(math.floor((run.now() - self.stamps[self.finished]) * 1e9))
  self.stamps[self.finished] = nil
  result.requests = result.requests + 1
  self.load.app:count "messages"
  self:begin()
end

function Messages:start()
  for _ = 1, self.plan.depth do self:begin() end
end

function Messages:idle() return self.finished == self.started and (self.load.over or self.load.quota <= 0) end

function Messages:fin()
  if self.conn.shut or self:idle() then return end
  self.load:failed(self.conn, "the server ended a connection that waits for an answer")
end

local Echo = class(Messages)

function Echo:take(bytes)
  local conn = self.conn
  if conn.received + #bytes > conn.sent then return self:wrong "more than was sent" end
  if not self:verify(bytes, conn.received) then return end
  conn.received = conn.received + #bytes
  while self.finished < self.started and conn.received >= (self.finished + 1) * self.unit do self:finish() end
end

local Http = class(Messages)

function Http:out(n)
  local request = self.plan.request
  local from = self.conn.sent % #request
  return request:rep((from + n) // #request + 1):sub(from + 1, from + n)
end

function Http:head()
  local stop = http.head_end(self.buffer)
  if not stop then
    if #self.buffer > 8192 then self:wrong "an endless head" end
    return false
  end
  local answer = http.response(self.buffer:sub(1, stop))
  self.buffer = self.buffer:sub(stop + 1)
  local expect = self.plan.expect
  local right = answer and answer.status == 200 and answer.length and not answer.chunked
  if not right or expect and answer.length ~= expect then
    self:wrong "an answer that is not 200 with the right length"
    return false
  end
  self.at, self.left = 0, answer.length
  return true
end

function Http:body()
  local part = self.buffer:sub(1, self.left)
  self.buffer = self.buffer:sub(#part + 1)
  if self.plan.expect and not self:verify(part, self.at) then return end
  self.at, self.left = self.at + #part, self.left - #part
  if self.left > 0 then return end
  self.left = nil
  self:finish()
end

function Http:take(bytes)
  self.buffer = self.buffer .. bytes
  self.conn.received = self.conn.received + #bytes
  while self.buffer ~= "" and not self.conn.bad do
    if self.finished == self.started then return self:wrong "more than was asked for" end
    if not self.left and not self:head() then return end
    if self.left then self:body() end
  end
end

-- ---- one way ----

local Send = class(Talk)

function Send:start() self.conn.allowed = self.plan.bytes or ENDLESS end

function Send:out(n)
  self.load.result.bytes = self.load.result.bytes + n
  return pattern(self.conn.sent, n)
end

function Send:unsent(n) self.load.result.bytes = self.load.result.bytes - n end

function Send:idle() return self.load.over or self.conn.sent == self.conn.allowed end

function Send:take(bytes) self.buffer = (self.buffer .. bytes):sub(1, 1000) end

-- The server of `--serve --mode send` says at the end how much of it was right.
function Send:fin()
  local conn = self.conn
  if not conn.shut or self.buffer ~= "" and self.buffer ~= ("%d bytes right\n"):format(conn.sent) then
    return self:wrong "the receiver did not get what was sent"
  end
  self.load.result.requests = self.load.result.requests + 1
end

local Receive = class(Talk)

function Receive:idle() return self.conn.eof end

function Receive:take(bytes)
  if self:verify(bytes, self.conn.received) then self.conn.received = self.conn.received + #bytes end
end

function Receive:fin()
  local conn = self.conn
  if self.plan.bytes and conn.received ~= self.plan.bytes then return self:wrong "an end too early" end
  self.load.result.requests = self.load.result.requests + 1
  conn.ended = true
end

local MODES = { pp = Echo, http = Http, send = Send, recv = Receive }

return function(plan, conn, load)
  return setmetatable({
    plan = plan, conn = conn, load = load, buffer = "", started = 0, finished = 0, stamps = {},
    unit = plan.mode == "http" and #plan.request or plan.size,
  }, MODES[plan.mode])
end
