-- Send the requests of a file again and again. Its first line is the path, each other line is
-- `token<TAB>body`. `NUMBER` in a body becomes a number that no other request has.
local NUMBER = "################"
local requests = {}
local sent = 0
local number = os.time() * 1e6  -- a run takes at least a second, and sends less than a million

function init(arguments)
    local file = assert(io.open(arguments[1]))
    local path = file:read("*l")
    for line in file:lines() do
        local token, body = line:match("^([^\t]*)\t(.*)$")
        local headers = { ["Content-Type"] = "application/json" }
        if token ~= "" then
            headers["Authorization"] = "Bearer " .. token
        end
        local whole = wrk.format("POST", path, headers, body)
        local at = whole:find(NUMBER, 1, true)
        requests[#requests + 1] = at and { whole:sub(1, at - 1), whole:sub(at + #NUMBER) } or whole
    end
    file:close()
end

function request()
    sent = sent % #requests + 1
    local request = requests[sent]
    if type(request) == "string" then
        return request
    end
    number = number + 1
    return request[1] .. string.format("%016.0f", number) .. request[2]
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
