--- Chunked bodies, as strictly as heads: where one ends must not be a matter of taste. [RFC 9112 7.1]
local EXTRA_MAX = 8192 -- bytes of extensions and trailer fields: they are not endless
local DIGITS_MAX = 15

local Chunks = {}
Chunks.__index = Chunks

local steps = {}

-- Behind the size: its end, or an extension, which may have blanks before it.
local function size_end(c)
  return c == "\r" and "size_lf" or c == ";" and "extension" or (c == " " or c == "\t") and "size_space" or "bad"
end

-- What is skipped up to the end of its line.
local function skipped(same, next)
  return function(_, c) return c == "\r" and next or c:find "[\0-\8\10-\31\127]" and "bad" or same end
end

local function expect(what, next)
  return function(_, c) return c == what and next or "bad" end
end

function steps.size(self, c)
  if not c:find "%x" then return self.digits > 0 and size_end(c) or "bad" end
  self.digits = self.digits + 1
  self.left = self.left * 16 + tonumber(c, 16)
  return self.digits > DIGITS_MAX and "bad" or "size"
end

function steps.size_space(_, c) return size_end(c) end

steps.extension = skipped("extension", "size_lf")

function steps.size_lf(self, c)
  self.digits = 0
  return c ~= "\n" and "bad" or self.left > 0 and "data" or "trailer"
end

steps.data_cr = expect("\r", "data_lf")
steps.data_lf = expect("\n", "size")

local function trailer_name(c, named)
  if c:find "[%w!#$%%&'*+%-.^_`|~]" then return "trailer_name" end
  return named and c == ":" and "trailer_value" or "bad"
end

function steps.trailer(_, c) return c == "\r" and "last_lf" or trailer_name(c, false) end

function steps.trailer_name(_, c) return trailer_name(c, true) end

steps.trailer_value = skipped("trailer_value", "trailer_lf")
steps.trailer_lf = expect("\n", "trailer")
steps.last_lf = expect("\n", "done")

local EXTRA = {
  size_space = true, extension = true, trailer = true, trailer_name = true, trailer_value = true, trailer_lf = true,
}

--- Reads on from byte `at` of `text`: bytes of the body (or none), and where it goes on. It ends in the states "done"
--- and "bad".
function Chunks:read(text, at)
  while at <= #text and self.state ~= "done" and self.state ~= "bad" do
    if self.state == "data" then
      local data = text:sub(at, at + self.left - 1)
      self.left = self.left - #data
      if self.left == 0 then self.state = "data_cr" end
      return data, at + #data
    end
    if EXTRA[self.state] then self.extra = self.extra + 1 end
    self.state = self.extra > EXTRA_MAX and "bad" or steps[self.state](self, text:sub(at, at))
    at = at + 1
  end
  return "", at
end

return function() return setmetatable({ state = "size", digits = 0, left = 0, extra = 0 }, Chunks) end
