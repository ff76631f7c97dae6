--- The clients of iip_load: opens connections, talks, counts, and comes to an end.
local hist = require "hist"
local iip = require "iip"
local run = require "run"
local talk = require "load_talk"

--- Connections being opened at a time: few until the peer answered once, for few packets wait for its hardware address.
local OPENING_FIRST, OPENING_MAX = 4, 256
local ALONE_S, LATE_S = 5, 2
local PART = 65536

local Load = {}
Load.__index = Load

function Load:say(what)
  io.stderr:write(("iip_load: %s\n"):format(what))
end

function Load:drop(conn)
  self.conns[conn.handle] = nil
  self.open = self.open - 1
  if not conn.connected then self.opening = self.opening - 1 end
end

-- Our side has no more to say, and what the peer still says does not matter.
function Load:abort(conn)
  conn.ended = true
  run.attempt(iip.conn_abort, conn.handle)
end

function Load:mismatch(conn, what)
  self.result.mismatches = self.result.mismatches + 1
  if not conn.bad then self:say(what) end
  conn.bad = true
  self:abort(conn)
end

function Load:failed(conn, what)
  self:say(what)
  self.result.errors = self.result.errors + 1
  self:abort(conn)
end

-- ---- out ----

function Load:pump(conn)
  if not conn.connected or conn.bad or conn.shut then return end
  while not conn.blocked and not conn.talk:idle() and conn.sent < conn.allowed do
    local part = conn.talk:out(math.min(PART, conn.allowed - conn.sent))
    local taken = run.attempt(iip.send, conn.handle, part) or 0
    if taken < #part and conn.talk.unsent then conn.talk:unsent(#part - taken) end
    conn.sent = conn.sent + taken
    conn.blocked = taken < #part
  end
  if conn.talk:idle() then
    conn.ended, conn.shut = true, true
    run.attempt(iip.conn_shutdown, conn.handle)
  end
end

-- ---- the life of connections ----

function Load:open_one()
  local loops = self.app.loops
  local loop = loops[self.next_loop % #loops + 1]
  self.next_loop = self.next_loop + 1
  local handle, why = run.attempt(loop.connect, loop, self.plan.peer, 0)
  if not handle then
    self.result.errors = self.result.errors + 1
    self:say("connect: " .. tostring(why))
    return false
  end
  local conn = { handle = handle, sent = 0, allowed = 0, received = 0 }
  conn.talk = talk(self.plan, conn, self)
  self.conns[handle] = conn
  self.open, self.opening = self.open + 1, self.opening + 1
  self.app:count "opened"
  return true
end

function Load:open_some()
  while self.to_open > 0 and self.opening < (self.met and OPENING_MAX or OPENING_FIRST) and not self.over do
    self.to_open = self:open_one() and self.to_open - 1 or 0
  end
end

local function all(conns)
  local list = {}
  for _, conn in pairs(conns) do list[#list + 1] = conn end
  return list
end

-- All that is open ends as an error, also what was not opened yet.
function Load:give_up(why)
  self:say(("%d connections: %s"):format(self.open + self.to_open, why))
  self.result.errors = self.result.errors + self.open + self.to_open
  self.over, self.to_open = true, 0
  for _, conn in ipairs(all(self.conns)) do self:abort(conn) end
end

function Load:time_over()
  if not self.met and self.open > 0 then return self:give_up "nobody answered" end
  self.over, self.to_open = run.now(), 0
  for _, conn in ipairs(all(self.conns)) do
    if self.plan.mode == "recv" or not conn.connected then -- the other side would go on for ever
      self:abort(conn)
    else
      self:pump(conn)
    end
  end
end

function Load:look_at_clock()
  local now = run.now()
  local limit = self.plan.duration
  if limit and not self.over and now - self.began >= limit then self:time_over() end
  if type(self.over) == "number" and self.open > 0 and now - self.over > LATE_S then
    self:give_up(("not done %d s after the time was up"):format(LATE_S))
  elseif not self.met and self.open > 0 and not self.over and now - self.began > ALONE_S then
    self:give_up(("nobody answered in %d s"):format(ALONE_S))
  end
end

-- ---- events ----

function Load:closed(conn, event)
  if not conn.ended and not conn.bad then
    self.result.errors = self.result.errors + 1
    self:say("a connection ended: " .. iip.status_text(event:status()))
  end
  self:drop(conn)
end

function Load:connected(conn)
  conn.connected, self.met = true, true
  self.opening = self.opening - 1
  conn.talk:start()
end

function Load:event(event)
  local kind, conn = event:type(), self.conns[event:src()]
  if not conn or conn.bad and kind == iip.EVENT_DATA then
    if event:buf() ~= 0 then event:release() end
    return
  end
  if kind == iip.EVENT_CLOSED then return self:closed(conn, event) end
  if kind == iip.EVENT_CONNECTED then self:connected(conn) end
  if kind == iip.EVENT_DATA then conn.talk:take(event:recv()) end
  if kind == iip.EVENT_WRITABLE then conn.blocked = false end
  if kind == iip.EVENT_FIN and not conn.bad then
    conn.eof = true
    conn.talk:fin()
  end
  self:pump(conn)
end

function Load:turned()
  self:look_at_clock()
  self:open_some()
  if self.open + self.to_open == 0 and not self.done then
    self.done = true
    self.result.seconds = run.now() - self.began
    self.app:finish()
  end
end

--- A client of plan.peer on all loops of `app`.
return function(plan, app)
  local result = { requests = 0, bytes = 0, errors = 0, mismatches = 0, latency = hist(), seconds = 0 }
  local load = setmetatable({
    plan = plan, app = app, result = result, conns = {}, quota = plan.count or math.maxinteger, to_open = plan.conns,
    open = 0, opening = 0, began = run.now(), next_loop = 0,
  }, Load)
  load.handler = {
    event = function(_, event) load:event(event) end,
    turned = function() load:turned() end,
    busy = function() return load.more end,
  }
  return load
end
