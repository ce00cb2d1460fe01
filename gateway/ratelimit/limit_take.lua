-- Returns events to one project's bucket, charges it and takes from it, in one step.
--
-- The bucket holds up to `events` tokens and fills in `window` µs. A charge is for events that have passed already,
-- so it may make the bucket negative; the next tokens pay for that.
--
-- The key's value is "tokens part at": whole tokens, the part of the next token in units of 1/window, and the time of
-- both in µs. A full bucket has no key: the key expires when the bucket is full. Numbers are doubles, exact up to
-- 2^53. Every product below is smaller for limits of up to 10^8 events and 24 hours, so rounding neither adds nor
-- loses anything.
--
-- KEYS  the bucket
-- ARGV  events; window; give; charge; want; "all" (want all or nothing) or "part"; now in µs, or "" for Redis' clock
-- Returns {tokens taken, tokens left, part left}.
local events, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local give, charge, want = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local now = tonumber(ARGV[7])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
end

local tokens, part = events, 0
local a, b, c = string.match(redis.call('GET', KEYS[1]) or '', '^(-?%d+) (%d+) (%d+)$')
if a then
  -- A clock that was set back pays nothing, and the bucket fills from the new time on.
  local passed = math.max(0, now - tonumber(c))
  if passed < 2 * window then
    -- passed × events / window. The product may exceed 2^53, so events is split in two.
    local high, low = math.floor(events / 10000), events % 10000
    local x = passed * high
    local q = math.floor(x / window)
    local y = (x - q * window) * 10000 + passed * low + tonumber(b)
    local r = math.floor(y / window)
    tokens, part = tonumber(a) + q * 10000 + r, y - r * window
  end
end

tokens = tokens + give
if tokens >= events then
  tokens, part = events, 0
end
tokens = math.max(-events, tokens - charge)
local got = math.max(0, math.min(want, tokens))
if ARGV[6] == 'all' and got < want then
  got = 0
end
tokens = tokens - got

-- A refusal writes nothing: the value means the same at any later time.
if got > 0 or give > 0 or charge > 0 then
  if tokens >= events then
    redis.call('DEL', KEYS[1])
  else
    local full = math.ceil(((events - tokens) * window - part) / events / 1000) + 1
    redis.call('SET', KEYS[1], string.format('%.0f %.0f %.0f', tokens, part, now), 'PX', string.format('%.0f', full))
  end
end
return {got, tokens, part}
