#!/usr/bin/env lua5.4
--- An HTTP/1.1 server: GET and HEAD of a directory and of /bytes/N, PUT to /sink.
package.path = arg[0]:match "^(.-)[^/]*$" .. "?.lua;" .. package.path
local options = require "options"
local run = require "run"
local server = require "http_server"
local uv = require "luv"

local option = options.option
local config = options.parse(
  { program = "iip_http", about = "an HTTP/1.1 server", listen = 80, body_max = 1 << 40, head_timeout = 10,
    body_timeout = 20, idle_timeout = 60, requests = 1000 },
  {
    option("text", "root", "DIR", "directory to serve (default: a built-in page, and /bytes/N)"),
    option("number", "body-max", "BYTES", "longest body of a PUT to /sink", { least = 0, most = 1 << 60 }),
    option("seconds", "head-timeout", "S", "for the head of a request (10)"),
    option("seconds", "body-timeout", "S", "for 16 KiB of a body, either way (20)"),
    option("seconds", "idle-timeout", "S", "between requests (60)"),
    option("flag", "self-test", nil, "serve a client in this process, on pair: or sim:"),
    option("number", "requests", "N", "how many the self-test makes (1000)", { least = 1, most = 1000000000 }),
  })

if config.root then
  local stat, why = uv.fs_stat(config.root)
  if not stat or stat.type ~= "directory" then
    options.usage(config, "root", config.root, stat and "Not a directory" or (why:match "^%u+: ([^:]*)" or why))
  end
  config.real_root = uv.fs_realpath(config.root)
end

if config.self_test then os.exit(require "http_self_test"(config), true) end
local app = run.open(config, server.counts)
app:listen()
os.exit(app:run(server.handler(config, app)), true)
