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
	//go:embed limit_take.lua
	takeText string
	//go:embed limit_heartbeat.lua
	heartbeatText string
)

// The keys that belong to no project.
const (
	storeGateways = "sluice:limit:gateways"
	storeEpoch    = "sluice:limit:epoch"
)

// storeKey returns the key of a project's bucket. A changed limit has another bucket.
func storeKey(project string, l *Limiter) string {
	return fmt.Sprintf("sluice:limit:%s:%d:%d", project, l.Events, l.Window.Microseconds())
}

// gatewayAge is how long a gateway counts as there after its last heartbeat.
const gatewayAge = 10 * time.Second

// storeConn is one connection to the store. It never repeats a command: after a lost answer, that would charge twice.
// Not safe for concurrent use.
type storeConn struct {
	client *redis.Client
	id     string        // this gateway
	now    func() string // the µs that buckets go by; "" is the store's own clock

	take, beat string // the scripts' hashes
}

// go-redis must not log: limitStore logs each error once.
func init() { redis.SetLogger(discardLogger{}) }

type discardLogger struct{}

func (discardLogger) Printf(context.Context, string, ...any) {}

// connectStore connects, logs in and loads the scripts. take is the text of limit_take.lua.
func connectStore(ctx context.Context, options *redis.Options, id, take string, now func() string) (*storeConn, error) {
	options.MaxRetries, options.DialerRetries = -1, 1
	options.ContextTimeoutEnabled = true
	options.PoolSize, options.PipelinePoolSize = 1, -1
	options.Protocol = 2
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	c := &storeConn{client: redis.NewClient(options), id: id, now: now}
	var err error
	if c.take, err = c.client.ScriptLoad(ctx, take).Result(); err == nil {
		c.beat, err = c.client.ScriptLoad(ctx, heartbeatText).Result()
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *storeConn) close() error { return c.client.Close() }

// storeOp is one operation on one bucket: it adds give, subtracts charge, then takes want.
type storeOp struct {
	key                string
	events             int64
	window             time.Duration
	give, charge, want int
	all                bool // take want or nothing
}

// storeAnswer is the result of a storeOp.
type storeAnswer struct {
	got   int     // events taken
	level float64 // of the bucket afterwards, in events
}

// exchange does the operations in order. Each is atomic. After an error, any number of them may have been done.
func (c *storeConn) exchange(ctx context.Context, ops []storeOp) ([]storeAnswer, error) {
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
	answers := make([]storeAnswer, len(ops))
	for i, command := range commands {
		v, err := command.Int64Slice()
		if err != nil || len(v) != 3 {
			return nil, errStoreAnswer
		}
		part := float64(v[2]) / float64(ops[i].window.Microseconds())
		answers[i] = storeAnswer{got: int(v[0]), level: float64(v[1]) + part}
	}
	return answers, nil
}

var (
	errStoreAnswer   = errors.New("the limit store's answer is not understood")
	errStoreSettings = errors.New("settings of the limit store")
)

// heartbeat tells the store that this gateway is there (mode "stay") or leaves ("leave"). It returns the number of
// gateways and the epoch of the store's data.
func (c *storeConn) heartbeat(ctx context.Context, mode string) (gateways int, epoch string, err error) {
	v, err := c.client.EvalSha(ctx, c.beat, []string{storeGateways, storeEpoch},
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
	return 0, "", errStoreAnswer
}

// storeReason returns which of storeReasons an error is.
func storeReason(err error) string {
	var replied redis.Error
	var network net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "timeout"
	case redis.HasErrorPrefix(err, "NOAUTH"), redis.HasErrorPrefix(err, "WRONGPASS"), redis.HasErrorPrefix(err, "NOPERM"):
		return "auth"
	case errors.As(err, &replied), errors.Is(err, errStoreAnswer):
		return "refused"
	case errors.Is(err, errStoreSettings):
		return "settings"
	default:
		return "network"
	}
}
