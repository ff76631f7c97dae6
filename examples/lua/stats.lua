--- What the stack and the example counted, as one JSON object (examples/c/README.md), added up over the loops.
local iip = require "iip"
local json = require "dkjson"
local uv = require "luv"

local TURNS = { "turns", "events", "ops", "ops_failed", "stale_handles", "spill_copies", "bufs_held", "mem_used" }
local PORTS = {
  "rx_packets", "rx_bytes", "rx_dropped", "tx_packets", "tx_bytes", "tx_refused", "tx_pending", "wire_lost",
  "wire_duplicated", "handed_over", "handed_lost",
}

local stats = {}

--- The sum of a counter of the stack over all loops.
function stats.counter(loops, name)
  local sum = 0
  for _, loop in ipairs(loops) do sum = sum + loop:counter(name) end
  return sum
end

local function names()
  local i = -1
  return function()
    i = i + 1
    return iip.counter_name(i)
  end
end

local function ordered(keys) return setmetatable({}, { __jsonorder = keys }) end

local function counters(loops)
  local order = {}
  local all = ordered(order)
  for name in names() do
    order[#order + 1] = name
    all[name] = stats.counter(loops, name)
  end
  return all
end

--- "drop_tcp_csum 3, drop_arp 1": what the stack dropped and why, or "none".
function stats.drops(loops)
  local found = {}
  for name in names() do
    local n = name:find "^drop_" and stats.counter(loops, name) or 0
    if n > 0 then found[#found + 1] = name .. " " .. n end
  end
  return found[1] and table.concat(found, ", ") or "none"
end

local function sums(loops, keys)
  local sum = ordered(keys)
  for _, key in ipairs(keys) do sum[key] = 0 end
  for _, loop in ipairs(loops) do
    local of = loop:stats()
    for _, key in ipairs(keys) do sum[key] = sum[key] + of[key] end
  end
  return sum
end

--- The report of an application (run.lua).
function stats.json(app)
  local config, order = app.config, {}
  local report = ordered(order)
  local function put(key, value)
    order[#order + 1] = key
    report[key] = value
  end
  put("program", config.program)
  put("version", iip.version())
  put("port", config.port)
  put("addresses", table.concat(config.addr, " "))
  put("listen", config.listen or 0)
  put("seconds", app:seconds())
  for _, name in ipairs(app.count_names) do put(name, app.counts[name]) end
  put("counters", counters(app.loops))
  put("conns", sums(app.loops, { "conns" }).conns)
  put("turns", sums(app.loops, TURNS))
  put("ports", sums(app.loops, PORTS))
  return json.encode(report, { indent = true }) .. "\n"
end

--- Writes the report to the file of --stats-json: whole, to a temporary name beside it, which is renamed then.
function stats.save(app)
  local name = app.config.stats_json
  if not name then return end
  local file, why = io.open(name .. ".new", "w")
  if file then
    file:write(stats.json(app))
    file:close()
    file, why = uv.fs_rename(name .. ".new", name)
  end
  if not file then io.stderr:write(("%s: --stats-json %s: %s\n"):format(app.config.program, name, why)) end
end

return stats
