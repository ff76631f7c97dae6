#!/usr/bin/env lua5.4
--- A load generator that verifies every byte: messages that an echo server returns, bulk either way, HTTP.
package.path = arg[0]:match "^(.-)[^/]*$" .. "?.lua;" .. package.path
local client = require "load_client"
local options = require "options"
local report = require "load_report"
local run = require "run"
local serve = require "load_serve"

local COUNTS = { "opened", "messages", "payload_bytes" }
local option = options.option
local MOST = math.maxinteger

local config = options.parse(
  { program = "iip_load", about = "a load generator that verifies every byte", listen = 7, mode = "pp",
    path = "/bytes/1000", conns = 1, size = 1, depth = 1 },
  {
    option("text", "connect", "A:PORT", "the server"),
    option("text", "mode", "MODE", "pp: messages that an echo server returns; send, recv: bulk; http"),
    option("number", "conns", "N", "connections (1)", { least = 1, most = 1000000 }),
    option("number", "size", "BYTES", "pp: of a message (1)", { least = 1, most = 1 << 24 }),
    option("number", "depth", "N", "pp, http: messages on their way per connection (1)", { least = 1, most = 256 }),
    option("number", "count", "N", "messages in all (10000 without --duration)", { least = 1, most = MOST }),
    option("number", "bytes", "N", "send, recv: per connection (10^8 without --duration)",
      { least = 1, most = 1 << 50 }),
    option("text", "path", "PATH", "http: what to get (/bytes/1000)"),
    option("flag", "serve", nil, "be the server of this mode on --listen"),
    option("flag", "self", nil, "be both, on a pair: or sim: port"),
    option("flag", "json", nil, "no table, only the last line"),
  })

local MODES = { pp = true, send = true, recv = true, http = true }

-- "10.0.0.1:7" or "[fd00::1]:7".
local function is_peer(text)
  local port = tonumber(text:match "^%[[%x:.]+%]:(%d+)$" or text:match "^[%d.]+:(%d+)$")
  return port and port > 0 and port < 65536
end

local function check_peer()
  if not config.connect then
    options.usage(config, "connect", nil, "missing; give the server as ADDRESS:PORT, or --serve, or --self")
  elseif not is_peer(config.connect) then
    options.usage(config, "connect", config.connect, "give ADDRESS:PORT, for example 10.0.0.1:7 or [fd00::1]:7")
  end
end

local function check()
  if not MODES[config.mode] then options.usage(config, "mode", config.mode, "give pp, send, recv or http") end
  if config.serve and config.mode == "http" then options.usage(config, "mode", "http", "is what iip_http serves") end
  if config.self and config.mode == "http" then
    options.usage(config, "mode", "http", "with a server in the same process is `iip_http --self-test`")
  end
  if not config.serve and not config.self then check_peer() end
  if config.mode == "http" and (#config.path > 400 or not config.path:find "^/[\x21-\x7e\x80-\xff]*$") then
    options.usage(config, "path", config.path, "give a path without blanks, up to 400 bytes, for example /bytes/1000")
  end
end

local function plan_of(peer)
  local timed = config.duration and config.duration > 0
  local messages = config.mode == "pp" or config.mode == "http"
  return {
    mode = config.mode, peer = peer, conns = config.conns, size = config.size, depth = config.depth,
    count = config.count or not timed and messages and 10000 or nil,
    bytes = config.bytes or not config.serve and not timed and 100000000 or nil,
    duration = timed and config.duration or nil,
    request = peer and ("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n"):format(config.path, peer),
    expect = math.tointeger(tonumber(config.path:match "^/bytes/(%d+)$")),
  }
end

local function exit_code(result, code)
  return code ~= 0 and code or result.errors + result.mismatches > 0 and 1 or 0
end

local function be_client(plan)
  config.duration = nil -- the clients end in order by themselves
  config.listen = nil
  local app = run.open(config, COUNTS)
  local load = client(plan, app)
  load:open_some()
  app:signals()
  while app:turn(load.handler) do end
  report(plan, load.result, app, config.json)
  return exit_code(load.result, app:close())
end

check()
if config.serve then
  local app = run.open(config, COUNTS)
  app:listen()
  os.exit(app:run(serve(plan_of(nil), app)), true)
elseif config.self then
  local both = require "both"
  local plan = plan_of(nil)
  os.exit(both(config, COUNTS, COUNTS, function(app) return serve(plan, app) end, function(app, peer)
    plan.peer = peer
    return client(plan, app)
  end, function(load, app) report(plan, load.result, app, config.json) end, exit_code), true)
else
  os.exit(be_client(plan_of(config.connect)), true)
end
