--- Latencies in little memory: values below 64 have a bucket each; above, the six bits behind the highest one choose
--- within its power of two.
local SUB_BITS = 6

local Hist = {}
Hist.__index = Hist

local function shift_of(value)
  local shift = 0
  while value >> shift >= 2 << SUB_BITS do shift = shift + 1 end
  return shift
end

function Hist:add(value)
  local shift = shift_of(value)
  local highest = ((value >> shift) + 1 << shift) - 1
  self.buckets[highest] = (self.buckets[highest] or 0) + 1
  self.n = self.n + 1
  self.max = math.max(self.max, value)
end

--- The value that `part` of all values do not exceed.
function Hist:at(part)
  local values, seen = {}, 0
  for value in pairs(self.buckets) do values[#values + 1] = value end
  table.sort(values)
  for _, value in ipairs(values) do
    seen = seen + self.buckets[value]
    if seen >= part * self.n then return math.min(value, self.max) end
  end
  return 0
end

return function() return setmetatable({ buckets = {}, n = 0, max = 0 }, Hist) end
