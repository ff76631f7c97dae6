#!/usr/bin/env lua5.4
--- A TCP echo server: received buffers go back as they are, without a copy.
package.path = arg[0]:match "^(.-)[^/]*$" .. "?.lua;" .. package.path
local iip = require "iip"
local options = require "options"
local run = require "run"

local app = run.open(options.parse { program = "iip_echo", about = "a TCP echo server", listen = 7 },
  { "accepted", "closed", "bytes" })

--- Of a connection: events whose buffers did not go back yet, from `first` to `last`, and whether the peer's end came.
local queues = {}

-- What the send queue does not take stays, and holds the peer's window closed, until WRITABLE comes.
local function pump(loop, conn, queue)
  while queue.first <= queue.last do
    local event = queue[queue.first]
    if run.attempt(loop.send_event, loop, conn, event) ~= 1 then return end
    app:count("bytes", event:len())
    queue[queue.first] = nil
    queue.first = queue.first + 1
  end
  if queue.ended then run.attempt(iip.handle_close, conn) end
end

local handler = {}

function handler.event(loop, event)
  local kind, conn = event:type(), event:src()
  local queue = queues[conn]
  if kind == iip.EVENT_ACCEPT then
    app:count "accepted"
    queues[conn] = { first = 1, last = 0 }
  elseif kind == iip.EVENT_CLOSED and queue then
    app:count "closed"
    for i = queue.first, queue.last do queue[i]:release() end
    queues[conn] = nil
  elseif queue then
    if kind == iip.EVENT_DATA then
      queue.last = queue.last + 1
      queue[queue.last] = event
    end
    queue.ended = queue.ended or kind == iip.EVENT_FIN
    pump(loop, conn, queue)
  end
end

app:listen()
os.exit(app:run(handler), true)
