package gateway

import (
	"context"
	_ "embed" // the scripts
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
	//go:embed limit_meet.lua
	meetText string
)

// The keys that are no project's.
const (
	storeGateways = "sluice:limit:gateways"
	storeEpoch    = "sluice:limit:epoch"
)

// storeKey is a project's bucket. A limit that is changed is another bucket.
func storeKey(project string, l *limiter) string {
	return fmt.Sprintf("sluice:limit:%s:%d:%d", project, l.events, l.window.Microseconds())
}

// gatewayAge is how long a gateway counts as there after it was last heard of.
const gatewayAge = 10 * time.Second

// storeConn is one connection to the store, for one caller at a time. It never repeats a command by itself: what was charged
// once must not be charged again because an answer was lost.
type storeConn struct {
	client *redis.Client
	id     string        // this gateway
	now    func() string // µs that the buckets go by; "" is the store's own clock

	take, meeting string // what the store calls the scripts
}

// init keeps go-redis from writing lines of its own: what fails is returned, and said once.
func init() { redis.SetLogger(mute{}) }

type mute struct{}

// Printf is part of go-redis' logger.
func (mute) Printf(context.Context, string, ...any) {}

// connectStore opens a connection, logs in and brings the scripts; take is the one that the buckets are asked with.
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
		c.meeting, err = c.client.ScriptLoad(ctx, meetText).Result()
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *storeConn) close() error { return c.client.Close() }

// storeOp is what one bucket is asked: first to take back give and to charge, then for want.
type storeOp struct {
	key                string
	events             int64
	window             time.Duration
	give, charge, want int
	all                bool // want all or nothing
}

// storeAnswer is what came of it, and what the bucket then held, in events.
type storeAnswer struct {
	got   int
	level float64
}

// exchange does the operations in order, each of them whole or not at all. After an error none, some or all were done.
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
			commands[i] = p.EvalSha(ctx, c.take, []string{op.key}, op.events, op.window.Microseconds(), op.give, op.charge, op.want, mode, now)
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
		answers[i] = storeAnswer{got: int(v[0]), level: float64(v[1]) + float64(v[2])/float64(ops[i].window.Microseconds())}
	}
	return answers, nil
}

var (
	errStoreAnswer   = errors.New("the limit store answered something else")
	errStoreSettings = errors.New("settings")
)

// meet says that this gateway is there, and learns how many are and which epoch it is.
func (c *storeConn) meet(ctx context.Context, mode string) (gateways int, epoch string, err error) {
	v, err := c.client.EvalSha(ctx, c.meeting, []string{storeGateways, storeEpoch}, c.id, gatewayAge.Milliseconds(), uuid.NewString(), mode).Slice()
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

// storeReason sorts an error into the closed set of the metric.
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
