--- The command line: one table for the parsing, for the help and for the checks. The flags are those of examples/c.
local options = {}

--- Ends the program because of its arguments: one line with the value and the remedy, exit code 2.
function options.usage(config, name, value, remedy)
  io.stderr:write(("%s: --%s%s: %s\n"):format(config.program, name, value and " " .. value or "", remedy))
  os.exit(2)
end

local function mistake(config, word, text)
  io.stderr:write(("%s: %s: %s; --help lists what there is\n"):format(config.program, word, text))
  os.exit(2)
end

local readers = {}

function readers.flag(config, o) config[o.key] = true end

function readers.text(config, o, text) config[o.key] = text end

function readers.list(config, o, text)
  if text == "" then options.usage(config, o.name, text, "is empty; see --help") end
  local list = config[o.key] or {}
  list[#list + 1] = (o.before or "") .. text
  config[o.key] = list
end

function readers.number(config, o, text)
  local value = text:find "^%d+$" and math.tointeger(tonumber(text))
  if not value or value < o.least or value > o.most then
    options.usage(config, o.name, text, ("give a number from %d to %d"):format(o.least, o.most))
  end
  config[o.key] = value
end

function readers.seconds(config, o, text)
  local value = text:find "^[%d.eE+-]+$" and tonumber(text)
  if not (value and value >= 0 and value < 1e9) then
    options.usage(config, o.name, text, "give seconds, for example 2.5")
  end
  config[o.key] = value
end

--- An option: how it is read, its name, what its value is called, its help; `more`: key, least, most, before.
function options.option(read, name, value, help, more)
  local o = { read = read, name = name, value = value, help = help, key = name:gsub("-", "_") }
  for key, is in pairs(more or {}) do o[key] = is end
  return o
end

local option = options.option
local common = {
  option("text", "port", "STRING", "tap:NAME, pair:NAME, sim:..., dpdk:... (default tap:iip0)"),
  option("list", "addr", "A/PLEN", "our own address; repeatable"),
  option("list", "gateway", "G", "default gateway; repeatable (IPv4, IPv6)", { before = "default via " }),
  option("number", "listen", "PORT", "port that is served", { least = 1, most = 65535 }),
  option("text", "pcap", "FILE", "record all packets"),
  option("list", "set", "NAME=VALUE", "a tunable of the stack; repeatable"),
  option("text", "stats-json", "FILE", "statistics, at the end and on SIGUSR1"),
  option("seconds", "duration", "S", "end after S seconds"),
  option("number", "loops", "N", "loops, which Lua's one thread turns by turns", { least = 1, most = 64 }),
  option("text", "model", "MODEL", "unified; split and merge need a second thread, which Lua has not"),
  option("number", "threads", "N", "the same as --loops", { key = "loops", least = 1, most = 64 }),
}

local function help(config, all)
  print(("%s: %s\n"):format(config.program, config.about))
  for _, o in ipairs(all) do
    print(("  %-24s %s"):format("--" .. o.name .. (o.value and " " .. o.value or ""), o.help))
  end
  print(("  %-24s %s"):format("--help", "this text"))
  os.exit(0)
end

local function check(config)
  local model = config.model or "unified"
  if model ~= "unified" then
    local known = model == "split" or model == "merge"
    options.usage(config, "model", model, known and "needs a second thread, which Lua has not" or "give unified")
  end
  for _, text in ipairs(config.set or {}) do
    if not text:find "=" then options.usage(config, "set", text, "give name=value, for example tcp.mss=1400") end
  end
end

--- Reads `arg` by the common options and `own` into `config`, which has program, about and the defaults.
function options.parse(config, own)
  local all, byname = table.move(common, 1, #common, 1, {}), {}
  table.move(own or {}, 1, #(own or {}), #all + 1, all)
  for _, o in ipairs(all) do byname["--" .. o.name] = o end
  local i = 1
  while arg[i] do
    local word, value = arg[i]:match "^(%-%-[^=]+)=(.*)$"
    word = word or arg[i]
    local o = byname[word]
    if word == "--help" and not value then help(config, all) end
    if word:sub(1, 1) ~= "-" then mistake(config, arg[i], "unexpected") end
    if not o and word ~= "--help" then mistake(config, arg[i], "no such option") end
    if value and (word == "--help" or not o.value) then mistake(config, arg[i], "takes no value") end
    if o.value and not value then
      i = i + 1
      value = arg[i] or mistake(config, word, "needs a value")
    end
    readers[o.read](config, o, value)
    i = i + 1
  end
  check(config)
  return config
end

return options
