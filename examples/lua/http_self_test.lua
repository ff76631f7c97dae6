--- The server and a client of ours in one process: what can be shown where there is no network.
local both = require "both"
local client = require "load_client"
local server = require "http_server"
local stats = require "stats"

local PATH, LENGTH = "/bytes/10000", 10000

local function report(load, client_app, server_app)
  local result = load.result
  print("port          " .. server_app.config.port)
  print("address       " .. load.plan.peer)
  print(("requests      %d in %.3f s, %.0f/s"):format(result.requests, result.seconds,
    result.requests / math.max(result.seconds, 1e-9)))
  print(("verified      %d bytes, %d mismatches, %d errors"):format(result.bytes, result.mismatches, result.errors))
  local both = stats.counter(server_app.loops, "tcp_retrans") + stats.counter(client_app.loops, "tcp_retrans")
  print("retransmits   " .. both)
  print("dropped       " .. stats.drops(server_app.loops))
end

--- The exit code.
return function(config)
  local timed = config.duration and config.duration > 0
  local plan = {
    mode = "http", conns = math.min(config.requests, 4), depth = 4, expect = LENGTH,
    count = not timed and config.requests or nil, duration = timed and config.duration or nil,
  }
  return both(config, server.counts, { "opened", "messages", "payload_bytes" },
    function(app) return server.handler(config, app) end,
    function(app, peer)
      plan.peer = peer
      plan.request = ("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n"):format(PATH, peer)
      return client(plan, app)
    end, report, function(result, code)
      return code ~= 0 and code or result.errors + result.mismatches > 0 and 1 or 0
    end)
end
