-- vectors.lua DIR FILE.vec - plays a vector (examples/vectors/README.md) and prints its trace; DIR takes the captures.
local iip = require "iip"

local PUMP <const>, START <const> = 65536, 0xcbf29ce484222325

-- Operations, and what the words behind the object's name are; those in MAKES make the object.
local VERBS = {
  connect = { iip.OP_CONNECT, "P" }, listen = { iip.OP_LISTEN, "LN" }, udp = { iip.OP_UDP_OPEN, "LP" },
  timer = { iip.OP_TIMER, "A" }, timerat = { iip.OP_TIMER, "W" }, send = { iip.OP_SEND_COPY, "NS" },
  sendbuf = { iip.OP_SEND_BUF, "N" }, forward = { iip.OP_SEND_BUF, "B" }, extern = { iip.OP_SEND_EXTERN, "RAN" },
  udpsend = { iip.OP_UDP_SEND_COPY, "PN" }, udpforward = { iip.OP_UDP_SEND, "PB" }, credit = { iip.OP_CREDIT, "N" },
  user = { iip.OP_USER, "U" }, shutdown = { iip.OP_SHUTDOWN, "" }, close = { iip.OP_CLOSE, "" },
  abort = { iip.OP_ABORT, "" }, cancel = { iip.OP_CANCEL, "" }, set = { iip.OP_SET, "OA" }, urgent = { iip.OP_URGENT, "" },
}
local MAKES = { connect = true, listen = true, udp = true, timer = true, timerat = true }
local SENDS = { [iip.OP_SEND_BUF] = true, [iip.OP_SEND_EXTERN] = true, [iip.OP_SEND_COPY] = true }
local EVENTS = {}
for _, name in ipairs { "NONE", "ACCEPT", "CONNECTED", "DATA", "FIN", "WRITABLE", "URGENT", "ERROR", "CLOSED", "UDP",
  "UDP_ERROR", "TX_DONE", "TIMER", "DONE", "LINK" } do EVENTS[iip["EVENT_" .. name]] = name end

local pattern
do
  local bytes, parts = {}, {}
  for block = 0, (2 << 20) - 1, 4096 do
    for i = block, block + 4095 do bytes[i - block + 1] = i * 31 + (i >> 8) * 17 & 255 end
    parts[#parts + 1] = string.char(table.unpack(bytes))
  end
  pattern = table.concat(parts)
end

local function fnv(data, h)
  h = h or START
  for i = 1, #data do h = (h ~ data:byte(i)) * 0x100000001b3 end
  return h
end

local function say(format, ...) io.write(format:format(...), "\n") end

-- Numbers of 64 bits without a sign are integers that wrap.
local function number(word)
  local n = 0
  for digit in word:gmatch "%d" do n = n * 10 + math.tointeger(digit) end
  return n
end

local function unsigned(n)
  if n >= 0 then return tostring(n) end
  local tens = (n >> 1) // 5
  return tens .. n - tens * 10
end

-- The name of the status with which a call ends; what else it returned.
local function status_of(call, ...)
  local ok, result = pcall(call, ...)
  if ok then return "IIP_OK", result end
  if type(result) ~= "table" then error(result, 0) end
  return result.name
end

local directory = arg[1]
local players, all, objects, handles, held = {}, {}, {}, {}, {} -- what the vector has made so far

local function add(at, name)
  local about = { at = at, name = name, handle = 0, tx = 0, goal = 0, rx = 0, rx_hash = START, children = 0 }
  all[#all + 1], objects[name] = about, about
  return about
end

local function know(about, handle)
  about.handle = handle
  if handle ~= 0 then handles[handle] = about end
end

local function buffer(word) return held[math.tointeger(word:sub(2)) + 1] end

-- ---- operations ----

local Player = {} -- one engine of a vector
Player.__index = Player

-- What the words say, as the arguments of Loop.queue: the operation, both addresses, the bytes.
local function fill(op, args, words, about)
  local addr, bytes = { L = "", P = "" }, ""
  for i = 1, math.min(#args, #words) do
    local what, word = args:sub(i, i), words[i]
    if what == "L" or what == "P" then addr[what] = word == "-" and "" or word
    elseif what == "N" then op.len = math.tointeger(word)
    elseif what == "A" then op.arg = number(word)
    elseif what == "W" then op.arg, op.flags = number(word), iip.OP_ABSOLUTE
    elseif what == "U" then op.user = number(word)
    elseif what == "B" then op.buf, op.len = buffer(word).buf, buffer(word).len
    elseif what == "R" then op.buf = objects[word].handle
    elseif what == "O" then op.offset = iip["OPT_" .. word]
    elseif what == "S" then op.flags = iip.OP_SHUT
    end
  end
  if op.code == iip.OP_SEND_COPY then bytes = pattern:sub(about.tx + 1, about.tx + op.len) end
  if op.code == iip.OP_UDP_SEND_COPY then bytes = pattern:sub(1, op.len) end
  return op, addr.L, addr.P, bytes
end

function Player:operation(words, line, post)
  local verb, code, args = words[1], table.unpack(VERBS[words[1]])
  local about = MAKES[verb] and add(self, words[2]) or objects[words[2]]
  local op = iip.Op()
  op.code = code
  if MAKES[verb] then op.user = #all else op.obj = about.handle end
  local filled = { fill(op, args, { table.unpack(words, 3) }, about) }
  if verb == "sendbuf" then op.buf = self.loop:buffer(pattern:sub(about.tx + 1, about.tx + op.len)) end
  if post then
    op.flags = iip.OP_REPLY
    say("> %s -> %s", line, (status_of(self.loop.post_with, self.loop, table.unpack(filled))))
    return
  end
  self.loop:queue(table.unpack(filled))
  table.insert(self.pending, { line = line, makes = MAKES[verb], about = about, len = op.len })
end

function Player:tell_operation(i, p)
  local done = self.loop:done(i - 1)
  local out = done.out ~= 0 and not p.makes and " " .. unsigned(done.out) or ""
  say("> %s -> %s%s", p.line, iip.status_name(done.status), out)
  if p.makes then know(p.about, done.out) end
  if not SENDS[done.code] then return end
  p.about.tx = p.about.tx + done.out
  p.about.blocked = p.about.blocked or done.out < p.len
  if done.status < 0 and done.status ~= iip.E_AGAIN then p.about.goal = 0 end
end

-- ---- a turn, and what it tells ----

local function subject(event)
  if event:type() ~= iip.EVENT_ACCEPT then return handles[event:src()] end
  local listener = handles[event:value()]
  listener.children = listener.children + 1
  local about = add(listener.at, listener.name .. "." .. listener.children)
  know(about, event:src())
  return about
end

function Player:tell_event(event, now)
  local about, has, data = subject(event), event:buf() ~= 0, ""
  if about and event:type() == iip.EVENT_WRITABLE then about.blocked = false end
  if has then
    data = event:peek()
    about.rx, about.rx_hash = about.rx + #data, fnv(data, about.rx_hash)
    held[#held + 1] = { buf = event:take(), len = #data }
    if not self.hold then self.loop:release(held[#held].buf) end
    if self.mute then return end
  end
  local line = { now, self.name, about and about.name or "-", EVENTS[event:type()], iip.status_name(event:status()) }
  local function word(name, value)
    if value ~= 0 then line[#line + 1] = name .. "=" .. unsigned(value) end
  end
  word("user", event:user())
  word("flags", event:flags())
  word("len", event:len())
  if has then line[#line + 1] = ("hash=%016x buf=@%d"):format(fnv(data), #held - 1) end
  if event:type() ~= iip.EVENT_ACCEPT and event:value() ~= event:src() then word("value", event:value()) end
  if event:peer_addr() then
    line[#line + 1] = ("local=%s peer=%s"):format(event:local_addr(), event:peer_addr())
  end
  say("%s", table.concat(line, " "))
end

-- Whether something happened.
function Player:turn(flags)
  for _, about in ipairs(all) do
    if about.at == self and about.goal > about.tx and not about.blocked then
      local n = math.min(PUMP, about.goal - about.tx)
      self:operation({ "send", about.name, tostring(n) }, ("%s send %s %d"):format(self.name, about.name, n))
    end
  end
  local loop, pending = self.loop, self.pending
  self.pending = {}
  local events = loop:turn(0, flags)
  local now = loop:now()
  for i, p in ipairs(pending) do self:tell_operation(i, p) end
  if loop:release_failed() > 0 then say("%d %s release_failed=%d", now, self.name, loop:release_failed()) end
  for _, event in ipairs(events) do self:tell_event(event, now) end
  local state = loop:state() & ~iip.STATE_MORE
  if state ~= self.state then say("%d %s state=%d", now, self.name, state) end
  self.state = state
  return #pending > 0 or #events > 0 or loop:rx_packets() > 0 or loop:state() & iip.STATE_MORE ~= 0
end

-- ---- steps that are no operations ----

local at_once = {
  inject = function(self, hex)
    return self.engine:inject((hex:gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end)))
  end,
  mtu = function(self, n) return self.engine:mtu_set(math.tointeger(n)) end,
  retain = function(_, name) return iip.buf_retain(buffer(name).buf) end,
  free = function(_, name) return iip.buf_release(buffer(name).buf) end,
  listenall = function(self, name, where, backlog)
    local about = add(self, name)
    know(about, self.engine:listen(where, math.tointeger(backlog or 0), #all))
  end,
  unlistenall = function(self, name) return self.engine:unlisten(objects[name].handle) end,
  attach = function(self) return self.loop:attach() end,
  detach = function(self) return self.loop:detach() end,
  region = function(self, name, n) know(add(self, name), self.engine:region(pattern:sub(1, math.tointeger(n)))) end,
  unregion = function(self, name) return self.engine:region_remove(objects[name].handle) end,
  loopclose = function(self) return self.loop:close() end,
}

local steps = {
  post = function(self, line, ...) self:operation({ ... }, line, true) end,
  release = function(self, _, first, last)
    for i = math.tointeger(first:sub(2)), math.tointeger((last or first):sub(2)) do self.loop:release(held[i + 1].buf) end
  end,
  turn = function(self, _, flush) self:turn(flush and iip.TURN_FLUSH or 0) end,
  pump = function(_, _, name, total) objects[name].goal = math.tointeger(total) end,
  count = function(self, line, name) say("> %s -> %d", line, self.loop:counter(name)) end,
  sum = function(_, line, name)
    local o = objects[name]
    say("> %s -> rx=%d %016x tx=%d %016x", line, o.rx, o.rx_hash, o.tx, fnv(pattern:sub(1, o.tx)))
  end,
  ["end"] = function(self, line) self:close(line) end,
}

function Player:step(words, line)
  local verb = words[1]
  if VERBS[verb] then
    self:operation(words, line)
  elseif steps[verb] then
    steps[verb](self, line, table.unpack(words, 2))
  else
    say("> %s -> %s", line, (status_of(at_once[verb], self, table.unpack(words, 2))))
  end
end

function Player:frames()
  local file <close> = assert(io.open(self.pcap, "rb"))
  local capture, total, n, at = file:read "a", START, 0, 25
  while at <= #capture do
    local seconds, us, size, _, data = ("<I4I4I4I4"):unpack(capture, at)
    local text = ("%d %d %016x\n"):format(seconds * 1000000 + us, size, fnv(capture:sub(data, data + size - 1)))
    at = data + size
    total, n = fnv(text, total), n + 1
    if self.list then io.write(self.name, " frame ", text) end
  end
  say("%s frames=%d hash=%016x", self.name, n, total)
end

function Player:close(line)
  local status = status_of(self.engine.close, self.engine)
  local leaks, words = self.engine:leaks(), {}
  for _, kind in ipairs { "bufs", "conns", "listeners", "udps", "timers", "externs", "regions" } do
    words[#words + 1] = kind .. "=" .. leaks[kind]
  end
  say("> %s -> %s %s", line, status, table.concat(words, " "))
  self.engine = nil
  self:frames()
end

-- ---- the file ----

local function open(words, line)
  local player = setmetatable({ name = words[2], pcap = directory .. "/" .. words[2] .. ".pcap", state = 0, pending = {} }, Player)
  local options = { port = words[3], addresses = words[4], pcap = player.pcap, seed = words[2]:byte(), key = words[2]:rep(16) }
  for i = 5, #words do
    local name, value = words[i]:match "^(%w+)=(.*)$"
    if name == "spill" then options.spill_bytes = math.tointeger(value)
    elseif name then options[name] = value
    else player[words[i]] = true
    end
  end
  local status, engine = status_of(iip.open, options)
  say("> %s -> %s", line, status)
  if engine then
    player.engine, player.loop = engine, engine:loop(0)
    player.loop:attach()
  end
  players[#players + 1], players[words[2]] = player, player
end

local function turn_all() -- until nothing happens
  local busy = true
  while busy do
    busy = false
    for _, player in ipairs(players) do
      if player.engine and player:turn(0) then busy = true end
    end
  end
end

local function advance(us)
  for _, player in ipairs(players) do
    if player.engine then return player.engine:advance(us) end
  end
  return 0
end

local function run(us, step, line)
  turn_all()
  while us > 0 do
    step = math.min(step, us)
    advance(step)
    us = us - step
    turn_all()
  end
  say("> %s -> %d", line, advance(0))
end

for line in io.lines(arg[2]) do
  local words = {}
  for word in line:gmatch "%S+" do words[#words + 1] = word end
  if #words == 0 or line:sub(1, 1) == "#" then -- nothing to do
  elseif words[1] == "engine" then
    open(words, line)
  elseif words[1] == "run" then
    local us = math.tointeger(words[2] or 0)
    run(us, math.tointeger(words[3] or us), line)
  else
    players[words[1]]:step({ table.unpack(words, 2) }, line)
  end
end
for _, player in ipairs(players) do
  if player.engine then player:close "end" end
end
