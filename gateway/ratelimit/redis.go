package ratelimit

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

var (
	//go:embed take.lua
	takeScript string
	//go:embed heartbeat.lua
	heartbeatScript string
)

// The keys that belong to no project.
const (
	gatewaysKey = "sluice:limit:gateways"
	epochKey    = "sluice:limit:epoch"
)

// bucketKey returns the key of a project's bucket. A changed limit has another bucket.
func bucketKey(project string, l *Limiter) string {
	return fmt.Sprintf("sluice:limit:%s:%d:%d", project, l.events, l.window.Microseconds())
}

// gatewayAge is how long a gateway counts as there after its last heartbeat.
const gatewayAge = 10 * time.Second

// connection is one connection to the store. It never repeats a command: after a lost answer, that would charge twice.
// Not safe for concurrent use.
type connection struct {
	client *redis.Client
	id     string        // this gateway
	now    func() string // the µs that buckets go by; "" is the store's own clock

	take, beat string // the scripts' hashes
}

// go-redis must not log: Store logs each error once.
func init() { redis.SetLogger(discardLogger{}) }

type discardLogger struct{}

func (discardLogger) Printf(context.Context, string, ...any) {}

// dial connects, logs in and loads the scripts. take is the text of take.lua.
func dial(ctx context.Context, options *redis.Options, id, take string, now func() string) (*connection, error) {
	options.MaxRetries, options.DialerRetries = -1, 1
	options.ContextTimeoutEnabled = true
	options.PoolSize, options.PipelinePoolSize = 1, -1
	options.Protocol = 2
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	c := &connection{client: redis.NewClient(options), id: id, now: now}
	var err error
	if c.take, err = c.client.ScriptLoad(ctx, take).Result(); err == nil {
		c.beat, err = c.client.ScriptLoad(ctx, heartbeatScript).Result()
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *connection) close() error { return c.client.Close() }

// operation is one operation on one bucket: it adds give, subtracts charge, then takes want.
type operation struct {
	key                string
	events             int64
	window             time.Duration
	give, charge, want int
	all                bool // take want or nothing
}

// result is the result of a operation.
type result struct {
	got   int     // events taken
	level float64 // of the bucket afterwards, in events
}

// exchange does the operations in order. Each is atomic. After an error, any number of them may have been done.
func (c *connection) exchange(ctx context.Context, ops []operation) ([]result, error) {
	if len(ops) == 0 {
		return nil, nil
	}
	commands := make([]*redis.Cmd, len(ops))
	now := c.now()
	_, err := c.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, op := range ops {
			mode := "part"
			if op.all {
				mode = "all"
			}
			commands[i] = p.EvalSha(ctx, c.take, []string{op.key},
				op.events, op.window.Microseconds(), op.give, op.charge, op.want, mode, now)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	answers := make([]result, len(ops))
	for i, command := range commands {
		v, err := command.Int64Slice()
		if err != nil || len(v) != 3 {
			return nil, errAnswer
		}
		part := float64(v[2]) / float64(ops[i].window.Microseconds())
		answers[i] = result{got: int(v[0]), level: float64(v[1]) + part}
	}
	return answers, nil
}

var (
	errAnswer   = errors.New("the limit store's answer is not understood")
	errSettings = errors.New("settings of the limit store")
)

// heartbeat tells the store that this gateway is there (mode "stay") or leaves ("leave"). It returns the number of
// gateways and the epoch of the store's data.
func (c *connection) heartbeat(ctx context.Context, mode string) (gateways int, epoch string, err error) {
	v, err := c.client.EvalSha(ctx, c.beat, []string{gatewaysKey, epochKey},
		c.id, gatewayAge.Milliseconds(), uuid.NewString(), mode).Slice()
	if err != nil {
		return 0, "", err
	}
	if len(v) == 2 {
		n, isNumber := v[0].(int64)
		e, isText := v[1].(string)
		if isNumber && isText {
			return int(n), e, nil
		}
	}
	return 0, "", errAnswer
}

// reasonOf returns which of Reasons an error is.
func reasonOf(err error) string {
	var replied redis.Error
	var network net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "timeout"
	case redis.HasErrorPrefix(err, "NOAUTH"), redis.HasErrorPrefix(err, "WRONGPASS"), redis.HasErrorPrefix(err, "NOPERM"):
		return "auth"
	case errors.As(err, &replied), errors.Is(err, errAnswer):
		return "refused"
	case errors.Is(err, errSettings):
		return "settings"
	default:
		return "network"
	}
}
