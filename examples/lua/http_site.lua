--- What a path names: a file below the root, a directory's index or list, or bytes that are computed.
---
--- A body has `length`, `type` and `read(at, n)`: up to n bytes from there, nil when they cannot be had; and `close`.
local pattern = require "pattern"
local uv = require "luv"

local LIST_MAX = 4 << 20
local MODE = tonumber("644", 8)
local TYPES = {
  html = "text/html; charset=utf-8", htm = "text/html; charset=utf-8", css = "text/css", js = "text/javascript",
  json = "application/json", txt = "text/plain; charset=utf-8", md = "text/plain; charset=utf-8",
  c = "text/plain; charset=utf-8", h = "text/plain; charset=utf-8", svg = "image/svg+xml", png = "image/png",
  jpg = "image/jpeg", jpeg = "image/jpeg", gif = "image/gif", webp = "image/webp", ico = "image/x-icon",
  pdf = "application/pdf", xml = "application/xml", wasm = "application/wasm", mp4 = "video/mp4",
  gz = "application/gzip",
}
local WELCOME = [[
<!doctype html><title>iip</title><h1>It works</h1>
<p>This page was sent by a TCP/IP stack in user space.
<p><a href="/bytes/1000">/bytes/1000</a> is 1000 bytes that can be verified;
a PUT to /sink is answered with its SHA-256.
]]

local site = {}

--- A body of text.
function site.text(type, text)
  return {
    type = type, length = #text, read = function(at, n) return text:sub(at + 1, at + n) end, close = function() end,
  }
end

local function bytes(number)
  local length = number:find "^%d+$" and math.tointeger(tonumber(number))
  if not length or length >> 50 ~= 0 then return 404 end
  return 200, { type = "application/octet-stream", length = length, read = pattern, close = function() end }
end

local function file(name)
  local fd = uv.fs_open(name, "r", MODE)
  local stat = fd and uv.fs_fstat(fd)
  if not stat then
    if fd then uv.fs_close(fd) end
    return 404
  end
  return 200, {
    type = TYPES[(name:match "%.(%w+)$" or ""):lower()] or "application/octet-stream", length = stat.size,
    read = function(at, n)
      local got = uv.fs_read(fd, n, at)
      return got ~= "" and got or nil -- it became shorter
    end,
    close = function() uv.fs_close(fd) end,
  }
end

-- ---- directories ----

local function html(text)
  return (text:gsub("[<>&\"]", function(c) return ("&#%d;"):format(c:byte()) end):gsub("[\0-\31]", "?"))
end

local function url(text)
  return "./" .. text:gsub("[^%w%-._~]", function(c) return ("%%%02X"):format(c:byte()) end)
end

local function names_in(dir)
  local names, found = {}, uv.fs_scandir(dir)
  for name in function() return found and uv.fs_scandir_next(found) end do
    if name:sub(1, 1) ~= "." then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

local function list(dir, path)
  local rows, size = { "<!doctype html><title>" .. html(path) .. "</title><table>\n" }, 0
  for _, name in ipairs(names_in(dir)) do
    local stat = uv.fs_lstat(dir .. "/" .. name)
    local row = stat and (stat.type == "directory"
      and ('<tr><td><a href="%s/">%s/</a></td></tr>\n'):format(url(name), html(name))
      or ('<tr><td><a href="%s">%s</a></td><td>%d</td></tr>\n'):format(url(name), html(name), stat.size)) or ""
    size = size + #row
    if size > LIST_MAX then break end
    rows[#rows + 1] = row
  end
  rows[#rows + 1] = "</table>\n"
  return 200, site.text(TYPES.html, table.concat(rows))
end

-- The real name of what a path names, if neither the path nor a symbolic link leaves the root.
local function below(root, path)
  local real = uv.fs_realpath(root .. path)
  if not real or real ~= root and real:sub(1, #root + 1) ~= root .. "/" then return nil end
  return real, uv.fs_stat(real)
end

local function directory(root, dir, path)
  if path:sub(-1) ~= "/" then return 301 end -- the links of its list would lead astray
  local index, stat = below(root, path .. "index.html")
  if index and stat.type == "file" then return file(index) end
  return list(dir, path)
end

local function find_file(root, path)
  local real, stat = below(root, path)
  if not stat then return 404 end
  if stat.type == "directory" then return directory(root, real, path) end
  if stat.type ~= "file" or path:sub(-1) == "/" then return 404 end -- opening a FIFO would stop the loop
  return file(real)
end

--- 200 and a body, 301 (a directory without its '/'), 404. `path` is decoded, without steps upwards; `root` a real path
--- or nil: only what is built in.
function site.find(root, path)
  local number = path:match "^/bytes/(.*)$"
  if number then return bytes(number) end
  if root then return find_file(root == "/" and "" or root, path) end
  if path ~= "/" then return 404 end
  return 200, site.text(TYPES.html, WELCOME)
end

return site
