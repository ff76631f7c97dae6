-- lua_test.lua - the Lua module against itself, over pairs in memory and simulated wires. Prints each test; exit code 1
-- when one fails.
local iip = require "iip"

local names = 0
local function pair(options, of_server)
  names = names + 1
  local sides = {}
  local addresses = { "10.0.0.1/24 fd00::1/64", "10.0.0.2/24 fd00::2/64" }
  for i = 2, 1, -1 do -- the server first: who opens later with another pool copies what it sends
    local address = addresses[i]
    local open = { port = "pair:lua" .. names, addresses = address }
    for name, value in pairs(i == 2 and of_server or options or {}) do open[name] = value end
    sides[i] = { engine = iip.open(open) }
    sides[i].loop = sides[i].engine:loop(0)
    sides[i].loop:attach()
  end
  return sides[1], sides[2]
end

-- Turns both ends until pick(event, side) answers something for one event; nil when nothing came for long.
local function run(a, b, pick)
  local limit = os.time() + 60
  while os.time() < limit do
    for _, side in ipairs { a, b } do
      for _, event in ipairs(side.loop:turn(100, 0)) do
        local found = pick(event, side)
        if found then return found end
      end
    end
  end
end

-- A connection: the handles of the client's and of the server's end.
local function connect(client, server, where)
  server.loop:listen(":7", 5)
  client.loop:connect(where or "10.0.0.2:7", 6)
  local ends = {}
  run(client, server, function(event, side)
    if event:type() == iip.EVENT_CONNECTED then ends.client, ends.c = event:src(), event end
    if event:type() == iip.EVENT_ACCEPT then ends.server, ends.s = event:src(), event end
    return ends.client and ends.server
  end)
  return ends
end

local function fails(name, call, ...)
  local ok, why = pcall(call, ...)
  assert(not ok, "it did not fail")
  assert(type(why) == "table" and why.name == name, ("%s, not %s"):format(why, name))
  assert(why.status == iip["" .. name:sub(5)] and why.errno > 0 and tostring(why):find(name, 1, true) == 1)
  return why
end

local tests = {}

function tests.echo_over_a_pair()
  local client, server = pair()
  local ends = connect(client, server)
  assert(ends.s:user() == 5 and ends.c:user() == 6 and math.type(ends.client) == "integer")
  local text = "a\0b" .. string.rep("x", 500)
  assert(iip.send(ends.client, text) == #text)
  local back = run(client, server, function(event, side)
    if event:type() ~= iip.EVENT_DATA then return end
    if side == client then return event:recv() end
    assert(server.loop:send_event(event:src(), event) == 1) -- the buffer itself goes back
    fails("IIP_E_STALE", event.recv, event)
  end)
  assert(back == text)
  client.engine:close()
  server.engine:close()
end

function tests.partial_sends()
  local client, server = pair { tunables = "tcp.sndbuf=8192" }
  local ends = connect(client, server)
  local text = {}
  for i = 1, 40000 do text[i] = ("%05d"):format(i) end
  text = table.concat(text)
  local taken, part, got = iip.send(ends.client, text), 0, {}
  assert(taken > 0 and taken < #text)
  local size = 0
  run(client, server, function(event)
    if event:type() == iip.EVENT_WRITABLE then
      part = part + 1
      taken = taken + iip.send(ends.client, text:sub(taken + 1))
    elseif event:type() == iip.EVENT_DATA then
      got[#got + 1] = event:recv()
      size = size + #got[#got]
    end
    return size == #text
  end)
  assert(part > 1 and table.concat(got) == text)
  client.engine:close()
  server.engine:close()
end

function tests.a_full_queue_takes_nothing_and_says_so()
  local client, server = pair { tunables = "tcp.sndbuf=8192" }
  local ends = connect(client, server)
  while iip.send(ends.client, string.rep("x", 4096)) > 0 do end
  assert(iip.send(ends.client, "y") == 0)
  client.engine:close()
  server.engine:close()
end

function tests.echo_of_buffers_in_parts()
  local client, server = pair({}, { tunables = "tcp.sndbuf=4096" })
  local ends = connect(client, server)
  local text, wait, sent, got, parts = string.rep("0123456789", 3000), {}, 0, {}, 0
  local size = 0
  sent = iip.send(ends.client, text)
  run(client, server, function(event, side)
    local kind = event:type()
    if side == client and kind == iip.EVENT_WRITABLE then sent = sent + iip.send(ends.client, text:sub(sent + 1)) end
    if side == client and kind == iip.EVENT_DATA then
      got[#got + 1] = event:recv()
      size = size + #got[#got]
    end
    if side == server and kind == iip.EVENT_DATA then wait[#wait + 1] = event end
    while side == server and wait[1] do
      if server.loop:send_event(ends.server, wait[1]) == 0 then parts = parts + 1 break end
      table.remove(wait, 1)
    end
    return size == #text
  end)
  assert(table.concat(got) == text)
  assert(parts > 0, "the queue was never full: the test shows nothing")
  client.engine:close()
  server.engine:close()
end

function tests.stale_and_foreign_handles()
  local client, server = pair()
  local ends = connect(client, server)
  iip.conn_abort(ends.client)
  local closed = run(client, server, function(event, side)
    return side == client and event:type() == iip.EVENT_CLOSED and event
  end)
  assert(closed:status() == iip.E_ABORTED)
  fails("IIP_E_STALE", iip.send, ends.client, "x")
  fails("IIP_E_STALE", iip.send, 0, "x")
  fails("IIP_E_STALE", iip.send, 1 << 52 | 12345, "x")
  fails("IIP_E_STALE", iip.send, -1, "x")
  fails("IIP_E_STALE", iip.conn_info, ends.client)
  local why = select(2, pcall(iip.send, {}, "x"))
  assert(type(why) == "string" and why:find("send"), why)
  client.engine:close()
  server.engine:close()
  fails("IIP_E_STALE", iip.send, ends.server, "x")
end

function tests.only_the_owner_turns()
  local engine = iip.open { port = "pair:lua-owner", addresses = "10.0.0.1/24" }
  local loop = engine:loop(0)
  fails("IIP_E_WRONG_THREAD", loop.turn, loop, 0, 0)
  fails("IIP_E_WRONG_THREAD", loop.listen, loop, ":7", 0)
  loop:attach()
  loop:turn(0, 0)
  loop:detach()
  fails("IIP_E_WRONG_THREAD", loop.turn, loop, 0, 0)
  engine:close()
end

function tests.a_buffer_is_released_once()
  local client, server = pair()
  local ends = connect(client, server)
  iip.send(ends.client, "x")
  local event = run(client, server, function(event) return event:type() == iip.EVENT_DATA and event end)
  assert(event:len() == 1 and server.loop:stats().bufs_held == 1)
  assert(event:release() == 0)
  fails("IIP_E_STALE", event.release, event)
  fails("IIP_E_STALE", event.recv, event)
  fails("IIP_E_STALE", server.loop.send_event, server.loop, ends.server, event)
  server.loop:turn(0, 0)
  assert(server.loop:stats().bufs_held == 0)
  client.engine:close()
  server.engine:close()
end

function tests.a_dropped_event_gives_its_buffer_back()
  local client, server = pair()
  local ends = connect(client, server)
  iip.send(ends.client, "x")
  assert(run(client, server, function(event) return event:type() == iip.EVENT_DATA end))
  collectgarbage()
  collectgarbage()
  server.loop:turn(0, 0)
  assert(server.loop:stats().bufs_held == 0)
  client.engine:close()
  server.engine:close()
end

-- Keeps every event: the pool runs low, the window closes, nothing is lost, and it goes on when they are given back.
function tests.an_exhausted_pool()
  local client, server = pair({}, { frames = 512, ring = 64, spill_bytes = 65536, tunables = "tcp.rcvbuf=4000000" })
  local ends = connect(client, server)
  local text, sent, kept, low = string.rep("abcdefgh", 200000), 0, {}, false
  for _ = 1, 5000 do
    if sent < #text then sent = sent + iip.send(ends.client, text:sub(sent + 1, sent + 10000)) end
    for _, event in ipairs(client.loop:turn(0, 0)) do event:release() end
    for _, event in ipairs(server.loop:turn(0, 0)) do
      if event:type() == iip.EVENT_DATA then kept[#kept + 1] = event end
    end
    low = low or server.loop:state() & iip.STATE_POOL_LOW ~= 0
  end
  assert(low and sent < #text, "the pool never ran low")
  local got = {}
  for i, event in ipairs(kept) do got[i] = event:recv() end
  local size = #table.concat(got)
  local limit = os.time() + 60
  while size < #text and os.time() < limit do
    if sent < #text then sent = sent + iip.send(ends.client, text:sub(sent + 1, sent + 10000)) end
    client.loop:turn(0, 0)
    for _, event in ipairs(server.loop:turn(1000, 0)) do
      if event:type() == iip.EVENT_DATA then
        got[#got + 1] = event:recv()
        size = size + #got[#got]
      end
    end
  end
  assert(table.concat(got) == text)
  client.engine:close()
  server.engine:close()
end

-- Who may send while there is no buffer is not told of an error, but when there are some.
function tests.sending_without_buffers()
  local client, server = pair({ frames = 512, ring = 64 })
  local ends = connect(client, server)
  local taken, got, buf = {}
  repeat
    got, buf = pcall(client.loop.buffer, client.loop, "x")
    if got then taken[#taken + 1] = buf end
  until not got
  assert(#taken > 100 and buf.name == "IIP_E_NOBUFS", buf)
  assert(iip.send(ends.client, "y") == 0)
  for _, each in ipairs(taken) do client.loop:release(each) end
  assert(run(client, server, function(event, side)
    return side == client and event:type() == iip.EVENT_WRITABLE and event:src() == ends.client
  end))
  assert(iip.send(ends.client, "y") == 1)
  client.engine:close()
  server.engine:close()
end

function tests.closing_with_work_in_flight()
  local client, server = pair()
  local ends = connect(client, server)
  iip.send(ends.client, string.rep("x", 5000))
  local event = run(client, server, function(event) return event:type() == iip.EVENT_DATA and event end)
  client.engine:close()
  server.engine:close()
  assert(server.engine:close() == 0 and server.engine:closed() == 2)
  local leaks = server.engine:leaks()
  assert(leaks.bufs >= 1 and leaks.conns == 1, leaks.bufs)
  fails("IIP_E_CLOSED", event.recv, event)
  fails("IIP_E_CLOSED", server.loop.turn, server.loop, 0, 0)
  fails("IIP_E_CLOSED", server.engine.info, server.engine)
end

-- The objects are collected in whatever order; an engine that nobody names closes.
function tests.the_collector_closes_what_nobody_names()
  do
    local client, server = pair()
    local ends = connect(client, server)
    iip.send(ends.client, "x")
    run(client, server, function(event) return event:type() == iip.EVENT_DATA end)
  end
  collectgarbage()
  collectgarbage()
  local again = iip.open { port = "pair:lua" .. names, addresses = "10.0.0.1/24" }
  again:close()
end

function tests.fork()
  local there, process = pcall(require, "lua_fork")
  if not there then return "skipped: lua_fork is not built" end
  local client, server = pair()
  local ends = connect(client, server)
  iip.send(ends.client, "x")
  local event = run(client, server, function(event) return event:type() == iip.EVENT_DATA and event end)
  local child = process.fork()
  if child == 0 then
    local ok, why = pcall(function()
      fails("IIP_E_FORKED", server.loop.turn, server.loop, 0, 0)
      fails("IIP_E_FORKED", event.recv, event)
      fails("IIP_E_FORKED", iip.send, ends.client, "x")
      fails("IIP_E_FORKED", server.engine.close, server.engine)
      iip.open({ port = "pair:child", addresses = "10.0.0.9/24" }):close()
    end)
    if not ok then print("in the child: " .. tostring(why)) end
    event, client, server = nil, nil, nil
    collectgarbage() -- the child's finalisers touch nothing of the parent
    process.exit(ok and 0 or 1)
  end
  assert(process.wait(child) == 0, "the child failed")
  assert(event:recv() == "x")
  client.engine:close()
  server.engine:close()
end

function tests.udp()
  local client, server = pair()
  local to, from = server.loop:udp(":53", 9), client.loop:udp("10.0.0.1:5300", 0)
  assert(iip.udp_send(from, "10.0.0.2:53", "query") == 5)
  local event = run(client, server, function(event) return event:type() == iip.EVENT_UDP and event end)
  assert(event:src() == to and event:user() == 9 and event:peer_addr() == "10.0.0.1:5300")
  assert(event:recv() == "query")
  assert(iip.udp_send(to, "10.0.0.1:5300", "") == 0)
  event = run(client, server, function(event) return event:type() == iip.EVENT_UDP and event end)
  assert(event:src() == from and event:recv() == "")
  fails("IIP_E_INVAL", iip.udp_send, from, "nonsense", "x")
  client.engine:close()
  server.engine:close()
end

function tests.addresses_of_six()
  local client, server = pair()
  local ends = connect(client, server, "[fd00::2]:7")
  assert(ends.s:local_addr() == "[fd00::2]:7" and ends.s:peer_addr():find("^%[fd00::1%]:%d+$"))
  local info = iip.conn_info(ends.server)
  assert(info:local_addr() == "[fd00::2]:7" and info.state == iip.CONN_ESTABLISHED)
  assert(info.user == 5 and info.mss > 1000 and info.conn == ends.server)
  client.engine:close()
  server.engine:close()
end

-- Many operations in one turn, each with its own answer; a buffer made here; a second release counts as failed.
function tests.a_turn_does_what_was_queued()
  local client, server = pair()
  local ends = connect(client, server)
  local op = iip.Op()
  op.code, op.obj = iip.OP_SEND_COPY, ends.client
  assert(client.loop:queue(op, nil, nil, "abc") == 0)
  op.code, op.buf, op.len = iip.OP_SEND_BUF, client.loop:buffer "defg", 4
  assert(client.loop:queue(op, nil, nil, "") == 1)
  op.code, op.obj, op.buf, op.len = iip.OP_SHUTDOWN, 1 << 52 | 12345, 0, 0
  assert(client.loop:queue(op, nil, nil, "") == 2)
  client.loop:turn(0, 0)
  assert(client.loop:done(0).out == 3 and client.loop:done(1).out == 4)
  assert(client.loop:done(2).status == iip.E_STALE)
  fails("IIP_E_RANGE", client.loop.done, client.loop, 3)
  local got, buf = "", nil
  run(client, server, function(event)
    if event:type() ~= iip.EVENT_DATA then return end
    got = got .. event:peek()
    buf = event:take()
    fails("IIP_E_STALE", event.peek, event)
    fails("IIP_E_STALE", event.take, event)
    server.loop:release(buf)
    return got == "abcdefg"
  end)
  server.loop:turn(0, 0)
  assert(server.loop:release_failed() == 0 and server.loop:stats().bufs_held == 0)
  server.loop:release(buf)
  server.loop:turn(0, 0)
  assert(server.loop:release_failed() == 1)
  fails("IIP_E_STALE", iip.buf_release, buf)
  fails("IIP_E_RANGE", client.loop.buffer, client.loop, ("x"):rep(100000))
  op.code = 1000
  fails("IIP_E_INVAL", client.loop.queue, client.loop, op, nil, nil, "")
  op.code = iip.OP_CONNECT
  fails("IIP_E_INVAL", client.loop.queue, client.loop, op, nil, "nonsense", "")
  op.code = iip.OP_NOP
  for _ = 1, 1 << 20 do
    if not pcall(client.loop.queue, client.loop, op, nil, nil, "") then break end
  end
  fails("IIP_E_AGAIN", client.loop.queue, client.loop, op, nil, nil, "")
  client.loop:turn(0, 0)
  client.loop:detach()
  fails("IIP_E_WRONG_THREAD", client.loop.queue, client.loop, op, nil, nil, "")
  fails("IIP_E_WRONG_THREAD", client.loop.release, client.loop, buf)
  fails("IIP_E_WRONG_THREAD", client.loop.buffer, client.loop, "x")
  client.loop:attach()
  client.engine:close()
  server.engine:close()
end

-- Registered memory is the engine's: written by copy, sent without one, not removed while it is being sent.
function tests.regions()
  local client, server = pair()
  local ends = connect(client, server)
  local region = client.engine:region(("."):rep(1000))
  assert(client.engine:region_write(region, 990, "0123456789") == 0)
  fails("IIP_E_RANGE", client.engine.region_write, client.engine, region, 991, "0123456789")
  fails("IIP_E_INVAL", client.engine.region, client.engine, "")
  local op = iip.Op()
  op.code, op.obj, op.buf, op.arg, op.len, op.user = iip.OP_SEND_EXTERN, ends.client, region, 985, 15, 9
  client.loop:queue(op, nil, nil, "")
  client.loop:turn(0, 0)
  assert(client.loop:done(0).out == 15)
  fails("IIP_E_BUSY", client.engine.region_remove, client.engine, region)
  local got
  assert(run(client, server, function(event, side)
    if side == server and event:type() == iip.EVENT_DATA then got = event:recv() end
    return side == client and event:type() == iip.EVENT_TX_DONE and event:user() == 9
  end))
  assert(got == ".....0123456789", got)
  assert(client.engine:region_remove(region) == 0)
  fails("IIP_E_STALE", client.engine.region_remove, client.engine, region)
  fails("IIP_E_STALE", client.engine.region_write, client.engine, region, 0, "x")
  client.engine:region "left behind"
  client.engine:close()
  server.engine:close()
  assert(client.engine:leaks().regions == 1)
end

-- A posted send keeps its bytes until it is done, and says so; what never got its turn is freed with the engine.
function tests.posted_sends()
  local client, server = pair()
  local ends = connect(client, server)
  local op = iip.Op()
  op.code, op.obj, op.user = iip.OP_SEND_COPY, ends.client, 4
  for i = 1, 20 do client.loop:post_with(op, nil, nil, ("%03d"):format(i)) end
  collectgarbage()
  local got, done = "", 0
  run(client, server, function(event, side)
    if side == server and event:type() == iip.EVENT_DATA then got = got .. event:recv() end
    if event:type() == iip.EVENT_DONE then
      assert(event:user() == 4 and event:value() == 3 and event:len() == iip.OP_SEND_COPY)
      done = done + 1
    end
    return done == 20 and #got == 60
  end)
  assert(got:sub(1, 9) == "001002003" and got:sub(-3) == "020", got)
  client.loop:post_with(op, nil, nil, "never")
  client.engine:close()
  server.engine:close()
  fails("IIP_E_CLOSED", client.loop.post_with, client.loop, op, nil, nil, "x")
end

function tests.counters_and_statistics()
  local client, server = pair()
  local ends = connect(client, server)
  assert(iip.conn_get(ends.client, iip.OPT_NODELAY) == 0)
  iip.conn_set(ends.client, iip.OPT_NODELAY, 1)
  assert(iip.conn_get(ends.client, iip.OPT_NODELAY) == 1)
  local stats = server.loop:stats()
  assert(stats.conns == 1 and stats.turns > 0 and math.type(stats.rx_packets) == "integer" and stats.rx_packets > 0)
  assert(server.loop:counter("rx_packets") == stats.rx_packets)
  fails("IIP_E_NOT_FOUND", server.loop.counter, server.loop, "no_such_counter")
  assert(server.loop:conn_after(0) == ends.server and server.loop:conn_after(ends.server) == 0)
  assert(server.engine:info().conns == 1 and server.engine:log() == nil)
  client.engine:close()
  server.engine:close()
end

function tests.options()
  local why = fails("IIP_E_NO_DEVICE", iip.open, { port = "nosuch:x" })
  assert(why.text:find("nosuch"), why.text)
  local ok, text = pcall(iip.open, { port = "pair:x", mtuu = 1500 })
  assert(not ok and tostring(text):find("mtuu"), text)
  ok, text = pcall(iip.open, { port = "pair:x", mtu = -1 })
  assert(not ok and tostring(text):find("out of range"), text)
  fails("IIP_E_INVAL", iip.open, { port = "pair:x", key = "short" })
  local cfg = iip.EngineOptions()
  cfg.port = "pair:first"
  cfg.port = "pair:second"
  assert(cfg.port == "pair:second" and cfg.routes == nil)
end

function tests.timers_and_operations_on_a_virtual_clock()
  local engine = iip.open { port = "sim:lua,clock=virtual", addresses = "10.0.0.1/24", seed = 7, key = ("k"):rep(16) }
  local loop = engine:loop(0)
  loop:attach()
  local now = loop:now()
  local timer = loop:timer(1000, 77)
  assert(#loop:turn(0, iip.TURN_DEADLINE) == 0 and loop:deadline() == now + 1000)
  assert(engine:advance(1000) == now + 1000)
  local event = loop:turn(0, 0)[1]
  assert(event:type() == iip.EVENT_TIMER and event:src() == timer and event:user() == 77 and event:value() == now + 1000)
  local op = iip.Op()
  op.code, op.arg, op.user, op.flags = iip.OP_TIMER, 5, 3, iip.OP_REPLY
  loop:post(op)
  event = loop:turn(0, 0)[1]
  assert(event:type() == iip.EVENT_DONE and event:user() == 3 and event:status() == 0)
  op.code = iip.OP_SEND_COPY
  fails("IIP_E_NOT_SUPPORTED", loop.op, loop, op)
  engine:close()
end

function tests.the_library_describes_itself()
  assert(iip.version():find("^%d+%.%d+%.%d+") and iip.probe("port.pair") == 1 and iip.probe("nonsense") == 0)
  assert(iip.status_name(iip.E_AGAIN) == "IIP_E_AGAIN" and iip.status_class(iip.E_AGAIN) == iip.CLASS_RETRY)
  fails("IIP_E_ABI", iip.abi_require, 99, 0)
end

-- Each function of the header is here under its name, or iip.i says what stands for it, and that is here.
function tests.every_function_of_the_header()
  local header, interface = assert(io.open(os.getenv "IIP_H")):read "a", assert(io.open(os.getenv "IIP_I")):read "a"
  local client, server = pair()
  local ends = connect(client, server)
  local objects = { Engine = client.engine, Loop = client.loop, Event = ends.c }
  local count = 0
  for name in header:gsub("/%*.-%*/", ""):gmatch "%f[%w_](iip_[%w_]+)%(" do
    local by = interface:match("REPLACED%(" .. name .. ', "(.-)"%)')
    local class, method = (by or ""):match "^(%u%a+)%.([%w_]+)$"
    count = count + 1
    if class then
      assert(type(objects[class][method]) == "function", ("%s: there is no %s"):format(name, by))
    elseif not by then
      assert(type(iip[name:sub(5)]) == "function", name .. " is not wrapped, and iip.i names no way to do without")
    else
      assert(by:find "^%-: " or type(iip[by]) == "function", ("%s: there is no %s"):format(name, by))
    end
  end
  assert(count > 50, count)
  client.engine:close()
  server.engine:close()
end

-- The plug-in lies beside libiip in the package; a port of it opens without hardware.
function tests.dpdk_from_the_package()
  if iip.probe "port.dpdk" == 0 then return "skipped: built without DPDK" end
  local engine = iip.open { port = "dpdk:net_null0", addresses = "10.0.0.1/24" }
  local loop = engine:loop(0)
  loop:attach()
  loop:turn(0, 0)
  assert(loop:stats().turns == 1)
  engine:close()
end

local order, failed = {}, 0
for name in pairs(tests) do order[#order + 1] = name end
table.sort(order)
for _, name in ipairs(order) do
  if not arg[1] or name:find(arg[1]) then
    local ok, why = xpcall(tests[name], function(why) return debug.traceback(tostring(why)) end)
    print(("%-45s %s"):format(name:gsub("_", " "), ok and (why or "ok") or "FAILED\n" .. why))
    if not ok then failed = failed + 1 end
  end
end
os.exit(failed == 0 and 0 or 1, true)
