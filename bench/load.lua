-- Send the requests of a file again and again. Its first line is the path, each other line is
-- `token<TAB>body`.
local requests = {}
local sent = 0

function init(arguments)
    local file = assert(io.open(arguments[1]))
    local path = file:read("*l")
    for line in file:lines() do
        local token, body = line:match("^([^\t]*)\t(.*)$")
        local headers = { ["Content-Type"] = "application/json" }
        if token ~= "" then
            headers["Authorization"] = "Bearer " .. token
        end
        requests[#requests + 1] = wrk.format("POST", path, headers, body)
    end
    file:close()
end

function request()
    sent = sent % #requests + 1
    return requests[sent]
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '\nRESULT {"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "errors": '
        .. '{"status": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d}}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        errors.status, errors.connect, errors.read, errors.write, errors.timeout
    ))
end
