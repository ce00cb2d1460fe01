package topics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"

	"sluice/internal/kafkaconn"
	"sluice/internal/settings"
)

// Config describes new topics. Apply changes an existing topic only where a flag was given; see NewGiven.
type Config struct {
	Partitions     int               `name:"partitions" default:"12" help:"Partitions of the events topic, and so the most consumers that can share the work. The number can grow later but not shrink."`
	Replication    int               `name:"replication" default:"${replication}" help:"Copies of each partition, each on another broker."`
	MinISR         int               `name:"min-isr" default:"${min_isr}" help:"Copies that must store an event before it is acknowledged. The default is never more than --replication."`
	Retention      settings.Duration `name:"topic-retention" default:"7d" help:"How long Kafka keeps events and dead letters. A longer outage of ClickHouse loses events."`
	RetentionBytes int64             `name:"topic-retention-bytes" default:"-1" help:"Most bytes that Kafka keeps of each partition; -1: no limit. Kafka removes the oldest events above it, whatever their age. At least 1073741824."`
}

// These are the largest batches of the two topics, in bytes. A dead letter is larger than its record.
const (
	eventsBatchBytes = 2 << 20
	deadBatchBytes   = 4 << 20
)

// leastRetentionBytes is the smallest --topic-retention-bytes: one segment of Kafka's default size.
const leastRetentionBytes = usualSegmentBytes

// Check reports every fault of the settings, joined into one error.
func (c Config) Check() error { return c.check(true) }

func (c Config) check(minISRGiven bool) error {
	var faults []error
	if c.Partitions < 1 || c.Partitions > 10_000 {
		faults = append(faults, fmt.Errorf("--partitions: 1 to 10000, not %d", c.Partitions))
	}
	if c.Replication < 1 || c.Replication > 100 {
		faults = append(faults, fmt.Errorf("--replication: 1 to 100, not %d", c.Replication))
	}
	if c.MinISR < 1 || minISRGiven && c.MinISR > c.Replication {
		faults = append(faults, fmt.Errorf("--min-isr: 1 to --replication (%d), not %d", c.Replication, c.MinISR))
	}
	if time.Duration(c.Retention) < time.Hour {
		faults = append(faults, errors.New("--topic-retention: at least 1h"))
	}
	if c.RetentionBytes != 0 && c.RetentionBytes != -1 && c.RetentionBytes < leastRetentionBytes {
		faults = append(faults,
			fmt.Errorf("--topic-retention-bytes: -1, or at least %d, not %d", leastRetentionBytes, c.RetentionBytes))
	}
	return errors.Join(faults...)
}

// requestTimeout bounds one request to Kafka.
const requestTimeout = 10 * time.Second

// Admin manages the topics of one cluster. It is not safe for concurrent use.
type Admin struct {
	conn   kafkaconn.Config
	cfg    Config
	client *kafka.Client
	out    io.Writer
	flags  []string // names of the flags given
	change Change
}

// New returns an Admin that creates missing topics and changes none; see [NewGiven]. The Admin reports on out. New
// opens no connection. The caller calls closeAdmin when done. An error lists the faults of the settings.
func New(conn kafkaconn.Config, cfg Config, out io.Writer) (admin *Admin, closeAdmin func(), err error) {
	return NewGiven(conn, cfg, Change{}, nil, out)
}

// NewGiven is New for an Admin that also changes existing topics, within the limits of change. It changes the settings
// that flags names: the flags that the operator gave, without dashes, as opposed to defaults.
func NewGiven(conn kafkaconn.Config, cfg Config, change Change, flags []string, out io.Writer) (
	admin *Admin, closeAdmin func(), err error,
) {
	minISRGiven := flags == nil || slices.Contains(flags, "min-isr")
	if err := errors.Join(conn.Check(), cfg.check(minISRGiven)); err != nil {
		return nil, nil, err
	}
	if cfg.RetentionBytes == 0 {
		cfg.RetentionBytes = -1
	}
	transport, err := conn.Transport("sluice-topics")
	if err != nil {
		return nil, nil, err
	}
	admin = &Admin{conn: conn, cfg: cfg, client: conn.Client(transport), out: out, flags: flags, change: change}
	return admin, transport.CloseIdleConnections, nil
}

// wanted is a topic's target.
type wanted struct {
	name          string
	partitions    int
	anyPartitions bool // any number of partitions is correct
	batchBytes    int
	configs       map[string]string
}

// minISR returns the setting, but at most the number of copies.
func (a *Admin) minISR() int { return min(a.cfg.MinISR, a.cfg.Replication) }

func (a *Admin) wanted() []wanted {
	return []wanted{
		{a.conn.Topic, a.cfg.Partitions, false, eventsBatchBytes, a.configs(eventsBatchBytes)},
		{a.conn.DeadTopic, min(3, a.cfg.Partitions), true, deadBatchBytes, a.configs(deadBatchBytes)},
	}
}

// configs returns the settings of a new topic.
func (a *Admin) configs(batchBytes int) map[string]string {
	retention := time.Duration(a.cfg.Retention)
	configs := map[string]string{
		keyCleanup:    "delete",
		keyRetention:  strconv.FormatInt(retention.Milliseconds(), 10),
		keyMinISR:     strconv.Itoa(a.minISR()),
		keyBatchBytes: strconv.Itoa(batchBytes),
		keyTimestamp:  "LogAppendTime", // a client's clock never becomes the record time
	}
	if retention < usualSegmentTime {
		configs[keySegmentTime] = configs[keyRetention]
	}
	if a.cfg.RetentionBytes >= 0 {
		configs[keyRetentionBytes] = strconv.FormatInt(a.cfg.RetentionBytes, 10)
	}
	return configs
}

// usualSegmentTime is Kafka's default of segment.ms.
const usualSegmentTime = 7 * 24 * time.Hour

// layout describes a new topic.
func (a *Admin) layout(w wanted) string {
	return fmt.Sprintf("%d partitions, replication %d, min ISR %d, retention %s",
		w.partitions, a.cfg.Replication, a.minISR(), days(time.Duration(a.cfg.Retention)))
}

// Apply creates the missing topics. In existing topics it changes the settings whose flags were given and, if Change
// allows it, corrects faults. If a single change is impossible or not allowed, Apply changes nothing and returns an
// error. Apply is idempotent.
func (a *Admin) Apply(ctx context.Context) error {
	if err := a.reach(ctx); err != nil {
		return err
	}
	var plans []plan
	var refused []error
	for _, w := range a.wanted() {
		p, err := a.planFor(ctx, w)
		if err != nil {
			return err
		}
		plans = append(plans, p)
		refused = append(refused, p.refused...)
	}
	if a.change.DryRun || len(refused) > 0 {
		for _, p := range plans {
			a.printPlan(p)
		}
	}
	if len(refused) > 0 {
		return fmt.Errorf("nothing was changed: %w", errors.Join(refused...))
	}
	if a.change.DryRun {
		return nil
	}
	var faults []error
	for _, p := range plans {
		if err := a.carryOut(ctx, p); err != nil {
			faults = append(faults, fmt.Errorf("topic %s: %w", p.w.name, err))
		}
	}
	return errors.Join(faults...)
}

// Create creates the missing topics and leaves existing ones unchanged.
func (a *Admin) Create(ctx context.Context) error {
	if err := a.reach(ctx); err != nil {
		return err
	}
	var faults []error
	for _, w := range a.wanted() {
		if _, err := a.create(ctx, w); err != nil {
			faults = append(faults, fmt.Errorf("topic %s: %w", w.name, err))
		}
	}
	return errors.Join(faults...)
}

func (a *Admin) create(ctx context.Context, w wanted) (made bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	topic := kafka.TopicConfig{Topic: w.name, NumPartitions: w.partitions, ReplicationFactor: a.cfg.Replication}
	if unclean, err := a.uncleanBrokers(ctx); err == nil && len(unclean) > 0 {
		w.configs[keyUnclean] = "false" // only if it differs: some services refuse this setting
	}
	for _, key := range slices.Sorted(maps.Keys(w.configs)) {
		topic.ConfigEntries = append(topic.ConfigEntries,
			kafka.ConfigEntry{ConfigName: key, ConfigValue: w.configs[key]})
	}
	resp, err := a.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{topic}})
	if err != nil {
		return false, a.unreachable(err)
	}
	switch err := resp.Errors[w.name]; {
	case err == nil:
		a.printf("%s: created with %s", w.name, a.layout(w))
		return true, nil
	case errors.Is(err, kafka.TopicAlreadyExists):
		return false, nil
	case errors.Is(err, kafka.InvalidReplicationFactor):
		return false, fmt.Errorf("the cluster has fewer than %d brokers; use --replication and --min-isr: %w",
			a.cfg.Replication, err)
	default:
		return false, fmt.Errorf("create: %w", err)
	}
}

// reach returns one error with the cause if the cluster does not answer. A change request would only return that no
// broker is available.
func (a *Admin) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if _, err := a.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{a.conn.Topic}}); err != nil {
		return a.unreachable(err)
	}
	return nil
}

func (a *Admin) unreachable(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %s: %w", requestTimeout, err)
	}
	return fmt.Errorf("kafka at %v: %w (check --kafka-brokers, and whether a broker runs)", a.conn.Brokers, err)
}

// Check prints the faults of the topics and of the brokers' defaults, and returns their number.
func (a *Admin) Check(ctx context.Context) (differences int, err error) {
	if err := a.reach(ctx); err != nil {
		return 0, err
	}
	for _, w := range a.wanted() {
		s, err := a.describe(ctx, w.name)
		if err != nil {
			return differences, fmt.Errorf("topic %s: %w", w.name, err)
		}
		found := []finding{{text: "is missing; `sluice topics apply` creates it"}}
		if !s.missing {
			found = a.compare(w, s)
		}
		for _, f := range found {
			a.printf("%s: %s", w.name, f.text)
		}
		if len(found) == 0 {
			a.printf("%s: no faults", w.name)
		}
		differences += len(found)
	}
	return differences + a.checkBrokers(ctx), nil
}

// checkBrokers checks the brokers' defaults. They apply to topics without settings of their own, such as the consumer's
// offsets.
func (a *Admin) checkBrokers(ctx context.Context) (differences int) {
	unclean, err := a.uncleanBrokers(ctx)
	if err != nil {
		a.printf("brokers: cannot read their settings, so %s is unchecked: %v", keyUnclean, err)
		return 0
	}
	if len(unclean) == 0 {
		return 0
	}
	a.printf("brokers: %s is \"true\" by default on %v, should be \"false\": "+
		"an election can lose the consumer's offsets; set it with "+
		"kafka-configs.sh --alter --entity-type brokers --entity-default --add-config %s=false",
		keyUnclean, unclean, keyUnclean)
	return 1
}

func (a *Admin) printf(format string, args ...any) { _, _ = fmt.Fprintf(a.out, format+"\n", args...) }
