--- A server and a client on the two ends of one in-memory port, turned by turns in one process.
local options = require "options"
local run = require "run"

local SERVER, CLIENT = { "10.9.0.1/24", "fd09::1/64" }, { "10.9.0.2/24", "fd09::2/64" }

local function copy(config, changes)
  local made = {}
  for key, value in pairs(config) do made[key] = value end
  for key, value in pairs(changes) do made[key] = value or nil end
  return made
end

--- make_server(app) gives a handler, make_client(app, peer) a load (load_client.lua), whose end is the end of all;
--- report(load, client, server). The exit code.
return function(config, server_counts, client_counts, make_server, make_client, report, exit_code)
  config.port = config.port or "pair:self-test"
  if not config.port:find "^pair:" and not config.port:find "^sim:" then
    options.usage(config, "port", config.port, "has one end; for --self and --self-test give pair:NAME or sim:NAME")
  end
  local stats = config.stats_json
  local server = run.open(copy(config, { addr = SERVER, duration = false }), server_counts)
  local client = run.open(copy(config, { addr = CLIENT, duration = false, listen = false, pcap = false,
    stats_json = stats and stats .. ".client" }), client_counts)
  server.silent, server.wait, client.wait = true, 0, 0
  server:listen()
  server:signals()
  client:signals()
  local serving = make_server(server)
  local load = make_client(client, "10.9.0.1:" .. config.listen)
  load:open_some()
  while client:turn(load.handler) do server:turn(serving) end
  report(load, client, server)
  local code = exit_code(load.result, client:close())
  server:finish()
  while server:turn(serving) do end
  return math.max(code, server:close())
end
