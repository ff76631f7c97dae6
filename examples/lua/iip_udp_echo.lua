#!/usr/bin/env lua5.4
--- A UDP echo server: each datagram goes back to where it came from, from the address that it was sent to.
package.path = arg[0]:match "^(.-)[^/]*$" .. "?.lua;" .. package.path
local iip = require "iip"
local options = require "options"
local run = require "run"

local app = run.open(options.parse { program = "iip_udp_echo", about = "a UDP echo server", listen = 7 },
  { "datagrams", "bytes", "refused" })

local endpoints, pieces, asked = {}, {}, {} -- by loop: its endpoint, what came of a datagram, answers of the next turn
for _, loop in ipairs(app.loops) do
  endpoints[loop] = loop:udp(":" .. app.config.listen, 0)
  pieces[loop], asked[loop] = {}, 0
  app:serves()
end

-- The turn says of each answer whether it was taken; one that was not is dropped.
local function look_at_answers(loop)
  for i = 0, asked[loop] - 1 do
    if loop:done(i).status < 0 then app:count "refused" end
  end
  asked[loop] = 0
end

local function answer(loop, event, bytes)
  local op = iip.Op()
  op.code, op.obj = iip.OP_UDP_SEND_COPY, endpoints[loop]
  if pcall(loop.queue, loop, op, event:local_addr(), event:peer_addr(), bytes) then
    asked[loop] = asked[loop] + 1
  else
    app:count "refused" -- the next turn is full
  end
  app:count "datagrams"
  app:count("bytes", #bytes)
end

local handler = { before = look_at_answers }

function handler.event(loop, event)
  if event:type() ~= iip.EVENT_UDP then return end
  local parts = pieces[loop]
  parts[#parts + 1] = event:recv()
  if event:flags() & iip.EVENT_MORE == 0 then
    pieces[loop] = {}
    answer(loop, event, table.concat(parts))
  end
end

os.exit(app:run(handler), true)
