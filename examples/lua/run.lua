--- An engine, the thread that turns its loops, signals, and an end in order.
---
---     local app = run.open(options.parse { program = "iip_echo", about = "...", listen = 7 }, { "accepted" })
---     app:listen()
---     os.exit(app:run(handler))       handler.event(loop, event)
---
--- A handler has `event`, and may have `before` and `turned` (loop), around the events of a turn, and `busy`: do not
--- wait.
local iip = require "iip"
local options = require "options"
local stats = require "stats"
local uv = require "luv"

local run = {}
local App = {}
App.__index = App

local LISTEN = 1 -- cookie of the listener
local CLOSE_S = 2 -- a port that takes no more packets must not keep us for ever

function run.now() return uv.hrtime() / 1e9 end

--- Of a connection that is over: its CLOSED event tells, or told, the same.
local GONE = { IIP_E_STALE = true, IIP_E_NOT_CONNECTED = true, IIP_E_SHUTDOWN = true }

--- call(...), or nil and the error when the connection is over or memory is short; mistakes are raised.
function run.attempt(call, ...)
  local ok, result = pcall(call, ...)
  if ok then return result end
  if type(result) ~= "table" then error(result, 0) end
  if iip.status_class(result.status) == iip.CLASS_USAGE and not GONE[result.name] then error(result) end
  return nil, result
end

local function fail(config, code, what)
  io.stderr:write(("%s: %s\n"):format(config.program, tostring(what)))
  os.exit(code)
end

-- What cannot be written at the end is said at the beginning.
local function check(config)
  config.port = config.port or "tap:iip0"
  if config.port:find("clock=virtual", 1, true) then
    options.usage(config, "port", config.port, "a virtual clock stands still here; use clock=real")
  end
  if not config.addr then
    options.usage(config, "addr", nil, "missing; give our own address and prefix length, for example 10.0.0.2/24")
  end
  local name = config.stats_json
  if not name then return end
  if name == "" then options.usage(config, "stats-json", name, "is empty; name a file") end
  local file, why = io.open(name .. ".new", "w")
  if not file then options.usage(config, "stats-json", name, why:match ": (.*)$" or why) end
  file:close()
  os.remove(name .. ".new")
end

local function open_engine(config)
  local open = {
    port = config.port, addresses = table.concat(config.addr, " "), loops = config.loops or 1,
    routes = config.gateway and table.concat(config.gateway, ", "),
    tunables = config.set and table.concat(config.set, ","), pcap = config.pcap,
  }
  local ok, engine = pcall(iip.open, open)
  if not ok then fail(config, 2, (tostring(engine):gsub("^IIP_E_[%u_]+: ", ""))) end
  local loops = engine:info().loops
  if loops < open.loops then
    io.stderr:write(("%s: --loops %d: the port has %d queues, going on with as many\n"):format(config.program,
      open.loops, loops))
  end
  return engine, loops
end

--- An application: its configuration, and the names of what it counts (app.counts).
function run.open(config, count_names)
  check(config)
  local app = setmetatable({ config = config, count_names = count_names, counts = {}, loops = {} }, App)
  local n
  for _, name in ipairs(count_names) do app.counts[name] = 0 end
  app.engine, n = open_engine(config)
  for i = 1, n do
    app.loops[i] = app.engine:loop(i - 1)
    app.loops[i]:attach()
  end
  app.began = run.now()
  app.ready = 0
  return app
end

function App:seconds() return run.now() - self.began end

function App:count(name, n) self.counts[name] = self.counts[name] + (n or 1) end

--- Serves TCP on --listen, on all loops; the line "ready" comes when they do.
function App:listen() self.listener = self.engine:listen(":" .. self.config.listen, 1024, LISTEN) end

--- One loop more serves. "ready 10.0.0.2:80": a script that started us may connect now.
function App:serves()
  self.ready = self.ready + 1
  if self.ready < #self.loops or self.silent then return end
  local host = self.config.addr[1]:match "^[^/ ,]*"
  print(("ready %s:%d"):format(host:find ":" and "[" .. host .. "]" or host, self.config.listen))
  io.stdout:flush()
end

-- Each loop says for itself whether it took the engine's listener over.
function App:listens(event)
  if event:type() ~= iip.EVENT_DONE or event:user() ~= LISTEN or event:src() ~= self.listener then return false end
  if event:status() < 0 then fail(self.config, 1, "--listen: " .. iip.status_text(event:status())) end
  self:serves()
  return true
end

--- Signals are asked for between turns: SIGTERM and SIGINT end it, SIGUSR1 writes the statistics.
function App:signals()
  for name, take in pairs { sigterm = "finish", sigint = "finish", sigusr1 = "report" } do
    local signal = uv.new_signal()
    signal:start(name, function()
      if take == "finish" then self:finish() else stats.save(self) end
    end)
  end
end

--- All loops come to their end: connections are closed, in order.
function App:finish()
  if self.closing then return end
  self.closing = run.now()
  stats.save(self) -- while the connections still live
  for _, loop in ipairs(self.loops) do loop:close() end
end

function App:wait_us(handler)
  if self.closing or handler.busy and handler.busy() then return 0 end
  return #self.loops == 1 and (self.wait or 100000) or 1000
end

--- One turn of each loop; false when all came to their end.
function App:turn(handler)
  local alive = false
  local limit = self.config.duration
  uv.run "nowait"
  if limit and limit > 0 and self:seconds() >= limit then self:finish() end
  for _, loop in ipairs(self.loops) do
    if loop:state() & iip.STATE_CLOSED == 0 then
      alive = true
      local events = loop:turn(self:wait_us(handler), 0)
      if handler.before then handler.before(loop) end
      for _, event in ipairs(events) do
        if not self:listens(event) then handler.event(loop, event) end
      end
      if handler.turned then handler.turned(loop) end
    end
  end
  return alive and not (self.closing and run.now() - self.closing > CLOSE_S)
end

--- Closes the engine; the exit code.
function App:close()
  stats.save(self) -- and now the account is closed
  self.engine:close()
  local leaks = self.engine:leaks()
  if leaks.bufs + leaks.conns == 0 then return 0 end
  io.stderr:write(("%s: not given back: %d buffers, %d connections\n"):format(self.config.program, leaks.bufs,
    leaks.conns))
  return 1
end

--- All of it, until a signal or --duration; the exit code.
function App:run(handler)
  self:signals()
  while self:turn(handler) do end
  return self:close()
end

return run
