--- The result of iip_load, for people and for programs.
local json = require "dkjson"
local stats = require "stats"

local ORDER = {
  "requests", "requests_per_s", "bytes", "bytes_per_s", "seconds", "errors", "mismatches", "p50_us", "p90_us", "p99_us",
  "p999_us", "max_us", "retransmits",
}

local function table_of(plan, result, app)
  local function us(part) return result.latency:at(part) / 1e3 end
  local seconds = result.seconds
  print("port          " .. app.config.port)
  print("connections   " .. plan.conns)
  print(("requests      %d in %.3f s, %.0f/s"):format(result.requests, seconds, result.requests / seconds))
  print(("payload       %d bytes, %.3f Gbit/s"):format(result.bytes, result.bytes * 8 / seconds / 1e9))
  if result.latency.n > 0 then
    print(("latency [us]  p50 %.1f  p90 %.1f  p99 %.1f  p99.9 %.1f  max %.1f"):format(us(.5), us(.9), us(.99), us(.999),
      result.latency.max / 1e3))
  end
  print(("errors        %d, mismatches %d"):format(result.errors, result.mismatches))
  print("retransmits   " .. stats.counter(app.loops, "tcp_retrans"))
  print("dropped       " .. stats.drops(app.loops))
end

--- A table, unless `json_only`, and the JSON line.
return function(plan, result, app, json_only)
  local function us(part) return result.latency:at(part) / 1e3 end
  result.seconds = math.max(result.seconds, 1e-9)
  if not json_only then table_of(plan, result, app) end
  print(json.encode(setmetatable({
    requests = result.requests, requests_per_s = result.requests / result.seconds, bytes = result.bytes,
    bytes_per_s = result.bytes / result.seconds, seconds = result.seconds, errors = result.errors,
    mismatches = result.mismatches, p50_us = us(.5), p90_us = us(.9), p99_us = us(.99), p999_us = us(.999),
    max_us = result.latency.max / 1e3, retransmits = stats.counter(app.loops, "tcp_retrans"),
  }, { __jsonorder = ORDER })))
end
