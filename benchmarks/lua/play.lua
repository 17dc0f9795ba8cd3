-- Plays prepared raw requests, over and over. No response callback, so that wrk parses as little as it can.
-- Arguments: FILE (requests separated by a NUL byte)
local requests, at = {}, 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  for raw in file:read("*a"):gmatch("[^%z]+") do requests[#requests + 1] = raw end
  file:close()
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    "RESULT {\"requests\":%d,\"microseconds\":%d,\"p50\":%d,\"p95\":%d,\"p99\":%d,\"bad\":%d,\"socket\":%d}\n",
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(95), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
end
