-- requests.lua FILE: wrk compares the body of every response with FILE, and says in one line what it saw.

local threads = {}

function setup(thread)
    table.insert(threads, thread)
end

function init(args)
    local file = assert(io.open(args[1], "rb"))
    want = file:read("*a")
    file:close()
    right, wrong, first = 0, 0, ""
end

function response(status, headers, body)
    if status == 200 and body == want then
        right = right + 1
    else
        wrong = wrong + 1
        if wrong == 1 then
            first = string.format("status %d, a body of %d bytes", status, #body)
        end
    end
end

function done(summary, latency, requests)
    local sum = {right = 0, wrong = 0}
    local example = ""
    for _, thread in ipairs(threads) do
        sum.right = sum.right + thread:get("right")
        sum.wrong = sum.wrong + thread:get("wrong")
        if thread:get("first") ~= "" then
            example = thread:get("first")
        end
    end
    local e = summary.errors
    io.write(string.format("result right=%d wrong=%d connect=%d read=%d write=%d timeout=%d first=%s\n",
        sum.right, sum.wrong, e.connect, e.read, e.write, e.timeout, example))
end
