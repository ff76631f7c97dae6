--- Events to connections, and the time limits.
local http_conn = require "http_conn"
local iip = require "iip"
local run = require "run"

local TICK_S, LINGER_S, SCARCE_S, PROGRESS_MIN = 0.25, 5, 1, 16384

local Server = {}
Server.__index = Server

-- When buffers are few, those who do not read what they asked for hold what others wait for.
function Server:limit(loop, phase)
  local config = self.config
  local scarce = loop:state() & iip.STATE_POOL_LOW ~= 0
  if phase == "answer" and scarce then return math.min(config.body_timeout, SCARCE_S) end
  if phase == "idle" then return config.idle_timeout end
  if phase == "linger" then return LINGER_S end
  return phase == "head" and config.head_timeout or config.body_timeout
end

-- Its peer took all that there was: it waits for a buffer of ours.
local function waits_for_us(conn)
  local info = conn.phase == "answer" and run.attempt(iip.conn_info, conn.handle)
  return info and info.unacked + info.unsent == 0
end

-- A head must be whole in time. Bodies may take as long as they take, while they advance.
function Server:late(conn)
  local moves = (conn.phase == "body" or conn.phase == "answer") and conn.progress >= PROGRESS_MIN
  if moves or waits_for_us(conn) then return conn:phase_is(conn.phase) end
  if conn.phase ~= "linger" then self.app:count "timeouts" end
  if conn.phase == "head" or conn.phase == "body" then
    conn.late = true
    conn:resume()
  elseif conn.phase == "answer" then
    run.attempt(iip.conn_abort, conn.handle) -- it does not read what it asked for
  else
    run.attempt(iip.handle_close, conn.handle)
  end
end

function Server:look_at_clock(loop)
  local now = run.now()
  if now - (self.looked[loop] or 0) < TICK_S then return end
  self.looked[loop] = now
  local late, waits = {}, {}
  for _, conn in pairs(self.conns) do
    if conn.loop == loop and now - conn.since >= self:limit(loop, conn.phase) then
      late[#late + 1] = conn
    elseif conn.loop == loop and conn.waits then
      waits[#waits + 1] = conn
    end
  end
  for _, conn in ipairs(waits) do conn:resume() end
  for _, conn in ipairs(late) do self:late(conn) end
end

function Server:accept(loop, handle)
  self.conns[handle] = http_conn(self.app, self.config, loop, handle)
  self.app:count "accepted"
end

function Server:event(loop, event)
  local kind, handle = event:type(), event:src()
  if kind == iip.EVENT_ACCEPT then return self:accept(loop, handle) end
  local conn = self.conns[handle]
  if not conn then return end
  if kind == iip.EVENT_CLOSED then
    self.app:count "closed"
    self.conns[handle] = nil
    return conn:free()
  end
  if kind == iip.EVENT_DATA then
    conn.last = conn.last + 1
    conn.inbox[conn.last] = event
  end
  conn.eof = conn.eof or kind == iip.EVENT_FIN
  conn.blocked = conn.blocked and kind ~= iip.EVENT_WRITABLE
  if event:flags() & iip.EVENT_MORE == 0 then conn:resume() end
end

local COUNTS = { "accepted", "closed", "requests", "answers_ok", "answers_refused", "timeouts", "bytes" }

local function handler(config, app)
  local server = setmetatable({ app = app, config = config, conns = {}, looked = {} }, Server)
  return {
    event = function(loop, event) server:event(loop, event) end,
    turned = function(loop) server:look_at_clock(loop) end,
  }
end

return { counts = COUNTS, handler = handler }
