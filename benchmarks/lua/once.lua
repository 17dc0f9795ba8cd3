-- Plays each prepared raw request at most once and ends the run when they are used up.
-- Arguments: FILE (requests separated by a NUL byte) CONNECTIONS STATUS (the only one that counts as done)
local ffi = require("ffi")
ffi.cdef [[ int getpid(void); int kill(int pid, int sig); ]]

local requests, at, last, expected = {}, 0, 0, 0
answered, bad = 0, 0
local threads = {}

function setup(thread) threads[#threads + 1] = thread end

function init(args)
  local file = assert(io.open(args[1], "rb"))
  for raw in file:read("*a"):gmatch("[^%z]+") do requests[#requests + 1] = raw end
  file:close()
  -- As many as there are connections stay unanswered at the end: no connection ever finds the list empty.
  last, expected = #requests - tonumber(args[2]), tonumber(args[3])
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function response(status)
  answered = answered + 1
  if status ~= expected then bad = bad + 1 end
  if answered == last then
    wrk.thread:stop()
    ffi.C.kill(ffi.C.getpid(), 2)
  end
end

function done(summary, latency)
  local e, wrong = summary.errors, 0
  for _, thread in ipairs(threads) do wrong = wrong + thread:get("bad") end
  io.write(string.format(
    "RESULT {\"requests\":%d,\"microseconds\":%d,\"p50\":%d,\"p95\":%d,\"p99\":%d,\"bad\":%d,\"socket\":%d}\n",
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(95), latency:percentile(99),
    wrong, e.connect + e.read + e.write + e.timeout))
end
