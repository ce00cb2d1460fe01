-- Notes that a gateway is there, or that it leaves. Returns {number of gateways, epoch}. The store's data has one
-- epoch, which is as old as the data: another epoch means that the buckets were lost.
--
-- KEYS  the gateways, by the time of their last heartbeat; the epoch
-- ARGV  the gateway; how long it counts as there without a heartbeat, in ms; the epoch to set if there is none;
--       "stay" or "leave"
local t = redis.call('TIME')
local now, age = t[1] * 1000 + math.floor(t[2] / 1000), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - age))
redis.call('ZREMRANGEBYSCORE', KEYS[1], string.format('%.0f', now + age), '+inf')
if ARGV[4] == 'leave' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', 2 * age))
end
redis.call('SET', KEYS[2], ARGV[3], 'NX')
return {redis.call('ZCARD', KEYS[1]), redis.call('GET', KEYS[2])}
