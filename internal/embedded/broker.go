package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"sluice/internal/embedded/dirlock"
)

// retentionInterval is the time between two removals of expired records. kfake itself checks once an hour, and only
// topics that set retention.
const retentionInterval = 5 * time.Minute

// BrokerConfig holds the settings of a [Broker].
type BrokerConfig struct {
	// Addr is the address to listen on and to advertise to clients, as host:port, for instance "127.0.0.1:9092". Port 0
	// takes any free port. Clients must be able to dial the host: an empty or unspecified host is an error.
	Addr string
	// DataDir holds the log. Run creates the directory if it is missing. Two brokers never share one.
	DataDir string
	// SyncWrites makes every acknowledgement wait for the disk (fsync). Without it a record survives the death of the
	// process, but not a power cut.
	SyncWrites bool
	// Logger receives life-cycle lines and the broker's warnings. Nil discards them.
	Logger *slog.Logger
}

// Broker is one node with Kafka's protocol that keeps its log on disk. It does not create topics on first use.
type Broker struct {
	cfg   BrokerConfig
	log   *slog.Logger
	ready chan struct{}
	addr  string // written before ready is closed
	// Tests replace patience: how long to wait until a previous broker stops.
	patience time.Duration
}

// NewBroker returns a broker. It opens nothing; see [Broker.Run].
func NewBroker(cfg BrokerConfig) *Broker {
	return &Broker{cfg: cfg, log: logger(cfg.Logger), ready: make(chan struct{}), patience: lockPatience}
}

// Ready returns a channel that closes once clients can connect. The channel stays open if Run fails before that.
func (b *Broker) Ready() <-chan struct{} { return b.ready }

// Addr returns the address for clients, as host:port. It is valid after Ready closes.
func (b *Broker) Addr() string {
	select {
	case <-b.ready:
		return b.addr
	default:
		return ""
	}
}

// Run serves until ctx ends, then writes everything to disk and returns nil. It fails if the address is in use, if
// another process uses the data directory, or if the directory's content is unreadable. A Broker runs once.
func (b *Broker) Run(ctx context.Context) error {
	if err := checkAdvertised(b.cfg.Addr); err != nil {
		return fmt.Errorf("embedded broker: %w", err)
	}
	lock, err := dirlock.Take(ctx, b.cfg.DataDir, b.patience, b.log)
	if err != nil {
		return fmt.Errorf("embedded broker: %w", err)
	}
	defer lock.Release()
	cluster, err := kfake.NewCluster(b.options()...)
	if err != nil {
		return fmt.Errorf("embedded broker: %w", err)
	}
	// Remove the records that expired while the broker was down.
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

// checkAdvertised returns an error for a host that clients cannot dial. The broker advertises the address that it
// listens on.
func checkAdvertised(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("address %q: %w", addr, err)
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		return fmt.Errorf("address %q: set the host that clients dial, for instance 127.0.0.1", addr)
	}
	return nil
}

// brokerLog logs the broker's warnings. The broker's texts contain values, so each becomes an attribute of a constant
// message.
type brokerLog struct{ log *slog.Logger }

// Logf implements kfake.Logger.
func (l brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	severity := slog.LevelDebug
	switch level {
	case kfake.LogLevelError:
		severity = slog.LevelError
	case kfake.LogLevelWarn:
		severity = slog.LevelWarn
	default: // kfake logs a line per request at "info"
	}
	if l.log.Enabled(context.Background(), severity) {
		l.log.Log(context.Background(), severity, "embedded broker", "detail", fmt.Sprintf(format, args...))
	}
}
