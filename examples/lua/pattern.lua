--- Bytes that anybody can compute (examples/c/README.md): byte i is byte i % 8 of word i / 8.
local WORDS = 64
local FORMAT = "<" .. ("I8"):rep(WORDS)
local STRETCH = WORDS * 8

local words = {}
local function stretch(first)
  for i = 1, WORDS do
    local x = (first + i) * 0x9e3779b97f4a7c15
    words[i] = x ~ x >> 32
  end
  return FORMAT:pack(table.unpack(words, 1, WORDS))
end

--- `length` bytes of the stream from `offset` on.
return function(offset, length)
  local parts, from = {}, offset - offset % STRETCH
  for at = from, offset + length - 1, STRETCH do parts[#parts + 1] = stretch(at // 8) end
  return table.concat(parts):sub(offset - from + 1, offset - from + length)
end
