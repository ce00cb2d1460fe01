package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// retentionInterval is how often old records are removed. kfake itself looks once an hour, and only if a topic sets retention.
const retentionInterval = 5 * time.Minute

// BrokerConfig says where a [Broker] listens and keeps its log.
type BrokerConfig struct {
	// Addr is host:port to listen on and to advertise to clients, such as "127.0.0.1:9092". Port 0 takes any free port. The
	// host must be one that clients can dial: an empty or unspecified host is refused, because it would be advertised.
	Addr string
	// DataDir holds the log. It is made if missing. Two brokers never share one.
	DataDir string
	// SyncWrites makes every acknowledgement wait for the disk (fsync). Without it a record survives the death of the process
	// but not a power cut.
	SyncWrites bool
	// Logger receives life-cycle lines and the broker's warnings. Nil discards them.
	Logger *slog.Logger
}

// Broker is one node that speaks Kafka's protocol and keeps its log on disk. Topics are never made by merely being asked for.
type Broker struct {
	cfg   BrokerConfig
	log   *slog.Logger
	ready chan struct{}
	addr  string // written before ready is closed
	// seam for tests: how long to wait for a previous broker to go
	patience time.Duration
}

// NewBroker opens nothing; see [Broker.Run].
func NewBroker(cfg BrokerConfig) *Broker {
	return &Broker{cfg: cfg, log: logger(cfg.Logger), ready: make(chan struct{}), patience: lockPatience}
}

// Ready is closed once clients can connect. It stays open when Run fails before that.
func (b *Broker) Ready() <-chan struct{} { return b.ready }

// Addr is host:port that clients use. It is valid once Ready is closed.
func (b *Broker) Addr() string {
	select {
	case <-b.ready:
		return b.addr
	default:
		return ""
	}
}

// Run serves until ctx ends, then writes everything out and returns nil. It fails when the address is taken, when another
// process has the data directory, or when what is in it cannot be read. A Broker runs once.
func (b *Broker) Run(ctx context.Context) error {
	if err := checkAdvertised(b.cfg.Addr); err != nil {
		return fmt.Errorf("embedded broker: %w", err)
	}
	lock, err := lockDir(ctx, b.cfg.DataDir, b.patience, b.log)
	if err != nil {
		return fmt.Errorf("embedded broker: %w", err)
	}
	defer lock.release()
	cluster, err := kfake.NewCluster(b.options()...)
	if err != nil {
		return fmt.Errorf("embedded broker: %w", err)
	}
	// Records older than their topic's retention go even if the broker was away when they expired.
	cluster.ApplyRetention()
	b.addr = cluster.ListenAddrs()[0]
	close(b.ready)
	b.log.Info("embedded broker ready", "addr", b.addr, "data", b.cfg.DataDir, "fsync", b.cfg.SyncWrites)

	b.retain(ctx, cluster)
	cluster.Close()
	b.log.Info("embedded broker stopped", "addr", b.addr)
	return nil
}

// retain removes expired records until ctx ends.
func (b *Broker) retain(ctx context.Context, cluster *kfake.Cluster) {
	tick := time.NewTicker(retentionInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			cluster.ApplyRetention()
		}
	}
}

func (b *Broker) options() []kfake.Opt {
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.ClusterID("sluice-embedded"),
		kfake.DataDir(b.cfg.DataDir),
		kfake.WithLogger(brokerLog{b.log}),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) { return listen(network, b.cfg.Addr) }),
	}
	if b.cfg.SyncWrites {
		opts = append(opts, kfake.SyncWrites())
	}
	return opts
}

// checkAdvertised refuses an address that a client could not dial: the broker tells clients the address it listens on.
func checkAdvertised(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("address %q: %w", addr, err)
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		return fmt.Errorf("address %q: name the host that clients dial, such as 127.0.0.1", addr)
	}
	return nil
}

// brokerLog passes on the broker's warnings. Its text carries the values, so it becomes an attribute of a constant message.
type brokerLog struct{ log *slog.Logger }

// Logf implements kfake.Logger.
func (l brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	severity := slog.LevelDebug
	switch level {
	case kfake.LogLevelError:
		severity = slog.LevelError
	case kfake.LogLevelWarn:
		severity = slog.LevelWarn
	default: // its "info" is a line a request
	}
	if l.log.Enabled(context.Background(), severity) {
		l.log.Log(context.Background(), severity, "embedded broker", "detail", fmt.Sprintf(format, args...))
	}
}
