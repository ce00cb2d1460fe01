// Package ratelimit limits how many events a project may send.
//
// A Limiter is a token bucket that counts events: in T seconds at most events × (1 + T/window) pass, exactly.
// Attached to a Store, the limiters of all gateways draw on one bucket in Redis and together pass at most 1 % of the
// limit more than that at once. A request waits for Redis for a bounded time (Config.Wait). While Redis is away, each
// gateway applies its share of each limit; Redis is charged for what passed once it is back, also if it lost its
// data.
//
// The package does not know projects, requests or answers: callers give a name to each bucket.
//
// To change the arithmetic of a bucket, see bucket.go and limit_take.lua, which TestScriptAgainstLimiter holds
// together; what is taken in advance, shared.go and exchange.go; what happens while Redis is away, away.go and
// share.go; how Redis is reached, config.go and redis.go.
package ratelimit
