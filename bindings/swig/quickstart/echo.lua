-- echo.lua PORT ADDRESS/PLEN [TCP-PORT]: an echo server, as lua5.4 echo.lua tap:iip0 10.0.0.2/24. Each buffer goes back as
-- it came; what a connection's send queue does not take waits for EVENT_WRITABLE, and holds the peer's window closed.
local iip = require "iip"

local engine = iip.open { port = arg[1], addresses = arg[2] }
local loop = engine:loop(0)
loop:attach()
loop:listen(":" .. (arg[3] or 7), 0)
print("ready " .. arg[2])
io.stdout:flush()

local waiting = {} -- by connection: events that were not sent yet, in order

-- 1: sent; 0: not now. A connection that the peer has reset is stale before its CLOSED event is read: nothing to do.
local function send(conn, event)
  local ok, result = pcall(loop.send_event, loop, conn, event)
  if ok then return result end
  if result.name ~= "IIP_E_STALE" and result.name ~= "IIP_E_NOT_CONNECTED" then error(result) end
end

local function answer(conn, queue)
  while queue[1] and send(conn, queue[1]) == 1 do table.remove(queue, 1) end
  if queue.ended and not queue[1] then
    waiting[conn] = nil
    pcall(iip.handle_close, conn)
  end
end

while true do
  for _, event in ipairs(loop:turn(-1, 0)) do
    local kind, conn = event:type(), event:src()
    local queue = waiting[conn]
    if kind == iip.EVENT_ACCEPT then
      waiting[conn] = {}
    elseif kind == iip.EVENT_CLOSED then
      waiting[conn] = nil
    elseif queue then
      if kind == iip.EVENT_DATA then table.insert(queue, event) end
      if kind == iip.EVENT_FIN then queue.ended = true end
      answer(conn, queue)
    end
  end
end
