--- iip for Lua: what SWIG made (iip_core), and options by name.
--
--     local engine = iip.open { port = "tap:iip0", addresses = "10.0.0.2/24" }
--     local loop = engine:loop(0)
--     loop:attach()
--     for _, event in ipairs(loop:turn(-1, 0)) do ... end
--
-- Errors are tables {status, name, errno, text}, and print as their text: pcall and error carry them.

local core = require "iip_core"
local iip = setmetatable({}, { __index = core })

--- Opens an engine. Options are the fields of struct iip_engine_cfg in <iip/iip.h>; key is a string of 16 bytes.
function iip.open(options)
  local cfg = core.EngineOptions()
  for name, value in pairs(options) do
    if name == "key" then
      cfg:set_key(value)
    else
      local ok, why = pcall(function() cfg[name] = value end)
      if not ok then error(("iip.open: option %s = %s: %s"):format(name, value, why), 2) end
    end
  end
  return core.open(cfg)
end

return iip
