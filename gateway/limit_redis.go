package gateway

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"sluice/internal/conffile"
	"sluice/internal/settings"
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

// sharesLimits says whether the limits are shared.
func (c Config) sharesLimits() bool { return c.LimitStore != "" || c.LimitStoreFile != "" }

// storeOptions reads where the store is and how to get in, from the file if there is one. No error repeats the address: it may
// hold a password.
func (c Config) storeOptions() (*redis.Options, error) {
	text, flag := c.LimitStore, "--limit-store"
	if c.LimitStoreFile != "" {
		flag = "--limit-store-file"
		raw, err := os.ReadFile(c.LimitStoreFile)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		text = strings.TrimSpace(string(raw))
	}
	options, wrong := parseStore(text)
	if wrong != "" {
		return nil, fmt.Errorf("%s: %s; it is redis://[user:password@]host:port[/db], or rediss:// for TLS", flag, wrong)
	}
	options.CredentialsProviderContext = func(context.Context) (user, password string, err error) {
		again, err := c.storeOptions()
		if err != nil {
			return "", "", fmt.Errorf("%w: %w", errStoreSettings, err)
		}
		return again.Username, again.Password, nil
	}
	if c.LimitStoreTLSCAFile == "" {
		return options, nil
	}
	const caFlag = "--limit-store-tls-ca-file"
	if options.TLSConfig == nil {
		return nil, fmt.Errorf("%s: certificates are given, but TLS is off; use rediss://", caFlag)
	}
	pem, err := os.ReadFile(c.LimitStoreTLSCAFile)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", caFlag, err)
	}
	options.TLSConfig.RootCAs = x509.NewCertPool()
	if !options.TLSConfig.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: %s holds no PEM certificate", caFlag, c.LimitStoreTLSCAFile)
	}
	return options, nil
}

// checkStore reports a fault of the store's settings; it does not connect.
func (c Config) checkStore() error {
	switch {
	case c.LimitStore != "" && c.LimitStoreFile != "":
		return errors.New("--limit-store and --limit-store-file: give one of the two")
	case !c.sharesLimits() && c.LimitStoreTLSCAFile != "":
		return errors.New("--limit-store-tls-ca-file: certificates are given, but no --limit-store")
	case !c.sharesLimits():
		return nil
	}
	_, err := c.storeOptions()
	return err
}

// parseStore reads an address of the store, or says what is wrong with it without repeating any of it.
func parseStore(text string) (options *redis.Options, wrong string) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, "this is not a URL"
	}
	password, hasPassword := u.User.Password()
	port, notPort := strconv.Atoi(u.Port())
	db, notDB := conffile.ParseInt(cmp.Or(strings.TrimPrefix(u.Path, "/"), "0"), 32)
	switch {
	case u.Scheme != "redis" && u.Scheme != "rediss":
		return nil, "the scheme is not redis or rediss"
	case u.Hostname() == "":
		return nil, "the host is missing"
	case notPort != nil || port < 1 || port > 65535:
		return nil, "the port is missing, or not 1 to 65535"
	case settings.AddressFault(u.Host, false) != "":
		return nil, "the host is not host:port: " + settings.AddressFault(u.Host, false)
	case u.User.Username() != "" && !hasPassword:
		return nil, "the user has no password"
	case notDB != nil || db < 0:
		return nil, "the database is not a number"
	case u.RawQuery != "" || u.Fragment != "":
		return nil, "nothing may follow the database"
	}
	options = &redis.Options{Addr: u.Host, Username: u.User.Username(), Password: password, DB: int(db)}
	if u.Scheme == "rediss" {
		options.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Hostname()}
	}
	return options, ""
}

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
