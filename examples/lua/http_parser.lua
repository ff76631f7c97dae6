--- Reads HTTP/1.x heads. Strict where leniency is how requests are smuggled past others. [RFC 9112 11.2]
local http = {}

local TOKEN = "^[%w!#$%%&'*+%-.^_`|~]+$"

--- Where a head ends, its empty line included; nil: it is not whole yet.
function http.head_end(text)
  local _, with = text:find("\n\r?\n")
  return with
end

-- Lines without their ends, up to the empty one.
local function lines(head)
  local all = {}
  for line in head:gmatch "([^\n]*)\n" do
    line = line:gsub("\r$", "")
    if line == "" then break end
    all[#all + 1] = line
  end
  return all
end

local function is_plain(line) return not line:find "[\0-\8\10-\31\127]" end

local function has_word(list, word)
  for item in (list .. ","):gmatch "([^,]*)," do
    if item:match "^[ \t]*(.-)[ \t]*$":lower() == word then return true end
  end
  return false
end

-- Of one length and the same again nothing is unclear; of two different ones everything is. [RFC 9112 6.3]
local function length_field(message, value)
  local n = value:find "^%d+$" and #value <= 18 and math.tointeger(tonumber(value))
  if not n or message.length and message.length ~= n then return 400 end
  message.length = n
end

local fields = { ["content-length"] = length_field }

fields["transfer-encoding"] = function(request, value)
  if request.chunked or request.minor == 0 then return 400 end
  request.chunked = true
  return value:lower() ~= "chunked" and 501 or nil
end

function fields.connection(request, value)
  if has_word(value, "close") then
    request.keep = false
  elseif request.minor == 0 and has_word(value, "keep-alive") then
    request.keep = true
  end
end

function fields.host(request, value)
  request.hosts = request.hosts + 1
  if not value:find "^[%w%-._~!$&'()*+,;=%%:%[%]]*$" then return 400 end
end

function fields.expect(request, value)
  if value:lower() ~= "100-continue" then return 417 end
  request.expects = request.minor > 0
end

local function field(message, line, readers)
  local name, value = line:match "^([^:]+):[ \t]*(.-)[ \t]*$"
  if not name or not name:find(TOKEN) or not is_plain(line) then return 400 end
  local read = readers[name:lower()]
  return read and read(message, value)
end

-- "HTTP/1.1": its minor version, or nil and the status of the answer.
local function version(text)
  local major, minor = text:match "^HTTP/(%d)%.(%d)$"
  if not major then return nil, 400 end
  if major ~= "1" then return nil, 505 end
  return tonumber(minor)
end

local function request_line(line)
  local method, target, rest = line:match "^([^ ]*) ([^ ]*) ?(.*)$"
  local minor, status = version(rest or "")
  if not method or not is_plain(line) or not method:find(TOKEN) or target == "" then return nil, 400 end
  if not minor then return nil, status end
  return { method = method, target = target, minor = minor, keep = minor > 0, hosts = 0 }
end

--- A request: method, target, minor, keep, length, chunked, expects; or nil and the status of the answer.
function http.request(head)
  local all = lines(head)
  local request, status = request_line(all[1] or "")
  for i = 2, #all do status = status or field(request, all[i], fields) end
  if status then return nil, status end
  -- Which of them the next reader believes is not ours to guess.
  if request.chunked and request.length then return nil, 400 end
  if request.hosts > 1 or request.minor > 0 and request.hosts == 0 then return nil, 400 end -- [RFC 9112 3.2]
  return request
end

local answer_fields = {
  ["content-length"] = length_field,
  ["transfer-encoding"] = function(answer) answer.chunked = true end,
  connection = function(answer, value)
    if has_word(value, "close") then answer.keep = false end
  end,
}

--- An answer: status, keep, length, chunked; nil: it is not one.
function http.response(head)
  local all = lines(head)
  local of, status = (all[1] or ""):match "^([^ ]*) (%d%d%d) ?"
  local minor = of and version(of)
  if not minor then return nil end
  local answer = { status = tonumber(status), keep = minor > 0 }
  for i = 2, #all do
    if field(answer, all[i], answer_fields) then return nil end
  end
  return answer
end

--- The target without scheme and authority: "http://host/path" is as good as "/path". [RFC 9112 3.2.2]
function http.origin(target)
  if target:sub(1, 7):lower() ~= "http://" then return target end
  local host, rest = target:sub(8):match "^([^/?#]*)(.*)$"
  if host == "" then return "" end -- without a host it names nothing [RFC 9110 4.2.1]
  return rest:sub(1, 1) == "/" and rest or "/"
end

--- The decoded path of a target; nil: no path, a bad escape, a zero byte, or a step upwards, however it is written.
function http.path(target)
  local path = http.origin(target):match "^(/[^?#]*)"
  if not path or path:gsub("%%%x%x", ""):find "%%" then return nil end
  path = path:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
  if path:find "\0" or (path .. "/"):find("/../", 1, true) then return nil end
  return path
end

return http
