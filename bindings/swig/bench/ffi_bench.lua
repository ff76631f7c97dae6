-- ffi_bench.lua [--json FILE] - what a crossing costs from Lua, in nanoseconds of processor time: best of five runs.
local iip = require "iip"

local out = arg[1] == "--json" and arg[2]
if #arg > 0 and (not out or #arg > 2) then
  io.stderr:write(("ffi-bench: %s: no such argument; --json FILE writes the rows there\n"):format(arg[#arg]))
  os.exit(2)
end

local function open(address)
  local engine = iip.open { port = "pair:ffi", addresses = address }
  local loop = engine:loop(0)
  loop:attach()
  return loop, engine
end

local here, here_engine = open "10.0.0.1/24"
local there, there_engine = open "10.0.0.2/24"
local from = here:udp("10.0.0.1:1", 0)
there:udp("10.0.0.2:2", 0)

-- `times` runs of work(prepare()), of which only work is timed; per run and unit.
local function best(times, units, prepare, work)
  local least = math.huge
  for _ = 1, 5 do
    local spent = 0
    for _ = 1, times do
      local given = prepare()
      local start = os.clock()
      work(given)
      spent = spent + os.clock() - start
    end
    least = math.min(least, spent)
  end
  return least / times / units * 1e9
end

local lines = {} -- of the file, as the other languages write them
local function row(name, ...)
  local ns = best(...)
  print(("%-34s %8.0f ns"):format(name, ns))
  lines[#lines + 1] =
    ('  {"row": "crossing: %s", "value": %.1f, "unit": "ns", "ratio": null, "peer": null}'):format(name, ns)
end
local function nothing() end

local op = iip.Op()
op.code, op.flags = iip.OP_NOP, iip.OP_REPLY
local function replies(n)
  return function()
    for _ = 1, n do here:post(op) end
  end
end

-- 32 datagrams that have arrived.
local function datagrams()
  local events = {}
  while #events < 32 do
    if #events == 0 then
      for _ = 1, 32 do iip.udp_send(from, "10.0.0.2:2", ("x"):rep(1400)) end
    end
    here:turn(0, 0)
    for _, event in ipairs(there:turn(0, 0)) do
      if event:type() == iip.EVENT_UDP then events[#events + 1] = event end
    end
  end
  return events
end

local function each(method)
  return function(events)
    for i = 1, #events do events[i][method](events[i]) end
  end
end

-- The first datagram waits for its neighbour's address.
iip.udp_send(from, "10.0.0.2:2", "x")
for _ = 1, 100 do
  here:turn(1000, 0)
  if #there:turn(1000, 0) > 0 then break end
end
local many = 1000
row("nop", 1, many, nothing, function() for _ = 1, many do iip.abi_version() end end)
row("turn, idle", 1, many, nothing, function() for _ = 1, many do here:turn(0, 0) end end)
row("turn with 1 event", 200, 1, replies(1), function() here:turn(0, 0) end)
row("turn with 64 events", 200, 1, replies(64), function() here:turn(0, 0) end)
row("a field of an event", 50, 32, datagrams, each "type")
row("view by copy, 1400 bytes", 50, 32, datagrams, each "peek")
row("recv of 1400 bytes", 50, 32, datagrams, each "recv")
row("release", 50, 32, datagrams, each "release")
here_engine:close()
there_engine:close()
if out then
  local file = assert(io.open(out, "w"))
  file:write("[\n", table.concat(lines, ",\n"), "\n]\n")
  file:close()
end
