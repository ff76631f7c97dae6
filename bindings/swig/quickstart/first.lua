local iip = require "iip"

local function open(address) -- one end of a wire in memory; a device: port = "tap:iip0"
  local engine = iip.open { port = "pair:first", addresses = address }
  local loop = engine:loop(0)
  loop:attach() -- this thread owns it
  return engine, loop
end

local server_engine, server = open "10.0.0.2/24"
local client_engine, client = open "10.0.0.1/24"
server:listen(":7", 0)
local conn = client:connect("10.0.0.2:7", 0)
local answer
while not answer do
  for _, event in ipairs(server:turn(100, 0)) do -- microseconds to wait at most
    if event:type() == iip.EVENT_DATA then server:send_event(event:src(), event) end -- its own buffer goes back
  end
  for _, event in ipairs(client:turn(100, 0)) do
    if event:type() == iip.EVENT_CONNECTED then iip.send(conn, "hello") end
    if event:type() == iip.EVENT_DATA then answer = event:recv() end
  end
end
print(answer)
client_engine:close()
server_engine:close()
