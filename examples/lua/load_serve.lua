--- The other side of the bulk modes: send receives and verifies what a client sends, recv sends, pp echoes.
local iip = require "iip"
local pattern = require "pattern"
local run = require "run"

local PART = 65536

-- Sends what waits in conn.out; true: all of it is on its way.
local function flush(conn)
  while conn.out ~= "" and not conn.blocked do
    local taken = run.attempt(iip.send, conn.handle, conn.out) or 0
    conn.blocked = taken < #conn.out
    conn.out = conn.out:sub(taken + 1)
  end
  return conn.out == ""
end

local function finish(conn)
  if conn.shut then return end
  conn.shut = true
  run.attempt(iip.handle_close, conn.handle)
end

local modes = {}

-- What waits is held unread, which closes the peer's window.
function modes.pp(app, conn)
  while flush(conn) and conn.first <= conn.last do
    conn.out = conn.inbox[conn.first]:recv()
    conn.inbox[conn.first] = nil
    conn.first = conn.first + 1
    app:count("payload_bytes", #conn.out)
  end
  if conn.eof and conn.out == "" then finish(conn) end
end

local function drain(conn, take)
  for i = conn.first, conn.last do
    take(conn.inbox[i]:recv())
    conn.inbox[i] = nil
  end
  conn.first = conn.last + 1
end

function modes.send(app, conn)
  drain(conn, function(bytes)
    if conn.right == conn.received and bytes == pattern(conn.received, #bytes) then conn.right = conn.right + #bytes end
    conn.received = conn.received + #bytes
    app:count("payload_bytes", #bytes)
  end)
  if conn.eof and not conn.verdict then
    conn.verdict = true
    local verdict = conn.right == conn.received and "right" or "right, then a wrong one"
    conn.out = ("%d bytes %s\n"):format(conn.right, verdict)
  end
  if flush(conn) and conn.verdict then finish(conn) end
end

function modes.recv(app, conn, plan)
  drain(conn, function() end)
  local most = plan.bytes or math.maxinteger
  while flush(conn) and conn.sent < most and not conn.eof do
    conn.out = pattern(conn.sent, math.min(PART, most - conn.sent))
    conn.sent = conn.sent + #conn.out
    app:count("payload_bytes", #conn.out)
  end
  if conn.eof or conn.out == "" and conn.sent == most then finish(conn) end
end

--- A handler (run.lua) that serves plan.mode.
return function(plan, app)
  local conns, go_on, handler = {}, modes[plan.mode], {}

  function handler.event(_, event)
    local kind, handle = event:type(), event:src()
    if kind == iip.EVENT_ACCEPT then
      conns[handle] = { handle = handle, inbox = {}, first = 1, last = 0, out = "", sent = 0, received = 0, right = 0 }
      app:count "opened"
    elseif kind == iip.EVENT_CLOSED and conns[handle] then
      drain(conns[handle], function() end)
      conns[handle] = nil
    end
    local conn = conns[handle]
    if not conn then return end
    if kind == iip.EVENT_DATA then
      conn.last = conn.last + 1
      conn.inbox[conn.last] = event
    end
    conn.eof = conn.eof or kind == iip.EVENT_FIN
    conn.blocked = conn.blocked and kind ~= iip.EVENT_WRITABLE
    go_on(app, conn, plan)
  end

  return handler
end
