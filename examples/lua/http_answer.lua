--- Answers: their heads, and which one a request gets.
local digest = require "openssl.digest"
local http = require "http_parser"
local site = require "http_site"

local DISCARD_MAX = 1 << 20 -- of a body that is only read to find the next request
local REASONS = {
  [200] = "OK", [301] = "Moved Permanently", [400] = "Bad Request", [404] = "Not Found", [405] = "Method Not Allowed",
  [408] = "Request Timeout", [413] = "Content Too Large", [414] = "URI Too Long", [417] = "Expectation Failed",
  [431] = "Request Header Fields Too Large", [501] = "Not Implemented", [505] = "HTTP Version Not Supported",
}
local KNOWN = { POST = true, PUT = true, DELETE = true, OPTIONS = true, PATCH = true, TRACE = true, CONNECT = true }

local answer = {}

--- A short one: its text is its status.
function answer.short(status, more)
  local body = site.text("text/plain", ("%d %s\n"):format(status, REASONS[status]))
  return { status = status, body = body, more = more or "" }
end

-- The target as it was written, with a '/' behind its path; always a path of ours ("//other.host" would not be one).
local function moved(target)
  local path = http.origin(target):match "^/*([^?]*)"
  return #path > 300 and answer.short(404) or answer.short(301, "Location: /" .. path .. "/\r\n")
end

local function get(config, request, path)
  if not path then return answer.short(400) end
  local status, body = site.find(config.real_root, path)
  if status == 200 then return { status = 200, body = body, more = "" } end
  return status == 301 and moved(request.target) or answer.short(status)
end

--- What a request is answered with. `sink`, a digest to be fed with its body, stands in place of a body that depends on
--- it; `most` is what the request's body may have.
function answer.of(config, request)
  local path, method = http.path(request.target), request.method
  local is_sink = path == "/sink"
  local made
  if method == "GET" or method == "HEAD" then
    made = get(config, request, path)
  elseif is_sink and (method == "PUT" or method == "POST") then
    return { status = 200, sink = digest.new "sha256", most = config.body_max, more = "" }
  elseif KNOWN[method] then
    made = answer.short(405, is_sink and "Allow: PUT, POST\r\n" or "Allow: GET, HEAD\r\n")
  else
    made = answer.short(501)
  end
  made.most = DISCARD_MAX
  return made
end

--- The body of the sink's answer.
function answer.of_sink(sink, length)
  local hex = sink:final():gsub(".", function(c) return ("%02x"):format(c:byte()) end)
  return site.text("text/plain", ("%d bytes, sha256 %s\n"):format(length, hex))
end

--- The head of an answer as text.
function answer.head(made, keep)
  return ("HTTP/1.1 %d %s\r\nServer: iip\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n"
    .. "Connection: %s\r\n%s\r\n"):format(made.status, REASONS[made.status], os.date "!%a, %d %b %Y %H:%M:%S GMT",
      made.body.type, made.body.length,
      keep and "keep-alive" or "close", made.more)
end

return answer
