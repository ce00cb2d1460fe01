// Package topics makes Sluice's Kafka topics as they must be, and says where they differ.
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

// Config says how new topics are made. Topics that are there are changed only in what a flag was given for; see
// NewGiven.
type Config struct {
	Partitions     int               `name:"partitions" default:"12" help:"Partitions of the events topic: as many consumers can share the work. More can be added later, fewer not."`
	Replication    int               `name:"replication" default:"${replication}" help:"Copies of each partition, on as many brokers."`
	MinISR         int               `name:"min-isr" default:"${min_isr}" help:"Copies that must have an event before it is acknowledged. Unless given, never more than --replication."`
	Retention      settings.Duration `name:"topic-retention" default:"7d" help:"How long Kafka keeps events and dead letters: how long ClickHouse may be away before events are lost."`
	RetentionBytes int64             `name:"topic-retention-bytes" default:"-1" help:"How much of each partition Kafka keeps at most, in bytes; -1 for no bound. What is over it is lost, however young. At least 1073741824."`
}

// The largest batch a topic takes, in bytes. A dead letter is larger than the record it was.
const (
	eventsBatchBytes = 2 << 20
	deadBatchBytes   = 4 << 20
)

// leastRetentionBytes is the smallest --topic-retention-bytes: one segment of Kafka's usual size.
const leastRetentionBytes = usualSegmentBytes

// Check reports every fault of the settings.
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
		faults = append(faults, fmt.Errorf("--topic-retention-bytes: -1, or at least %d, not %d", leastRetentionBytes, c.RetentionBytes))
	}
	return errors.Join(faults...)
}

// requestTimeout bounds one request to Kafka.
const requestTimeout = 10 * time.Second

// Admin works on the topics of one cluster.
type Admin struct {
	conn   kafkaconn.Config
	cfg    Config
	client *kafka.Client
	out    io.Writer
	flags  []string // that were given
	change Change
}

// New returns an Admin that says on out what it does. It opens nothing; call close when done. With the settings alone
// it makes topics that are missing and changes none; see [NewGiven].
func New(conn kafkaconn.Config, cfg Config, out io.Writer) (admin *Admin, closeAdmin func(), err error) {
	return NewGiven(conn, cfg, Change{}, nil, out)
}

// NewGiven is New for an Admin that also changes topics that are there: in what flags name (names of settings without
// dashes that somebody gave, as opposed to defaults), as far as change allows.
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

// wanted is a topic as it is made.
type wanted struct {
	name          string
	partitions    int
	anyPartitions bool // nobody counts on their number
	batchBytes    int
	configs       map[string]string
}

// minISR is the setting, or as many copies as there are if that is fewer.
func (a *Admin) minISR() int { return min(a.cfg.MinISR, a.cfg.Replication) }

func (a *Admin) wanted() []wanted {
	return []wanted{
		{a.conn.Topic, a.cfg.Partitions, false, eventsBatchBytes, a.configs(eventsBatchBytes)},
		{a.conn.DeadTopic, min(3, a.cfg.Partitions), true, deadBatchBytes, a.configs(deadBatchBytes)},
	}
}

// configs are the settings of a new topic.
func (a *Admin) configs(batchBytes int) map[string]string {
	retention := time.Duration(a.cfg.Retention)
	configs := map[string]string{
		keyCleanup:    "delete",
		keyRetention:  strconv.FormatInt(retention.Milliseconds(), 10),
		keyMinISR:     strconv.Itoa(a.minISR()),
		keyBatchBytes: strconv.Itoa(batchBytes),
		keyTimestamp:  "LogAppendTime", // what a client says the time is never becomes record time
	}
	if retention < usualSegmentTime {
		configs[keySegmentTime] = configs[keyRetention]
	}
	if a.cfg.RetentionBytes >= 0 {
		configs[keyRetentionBytes] = strconv.FormatInt(a.cfg.RetentionBytes, 10)
	}
	return configs
}

// usualSegmentTime is Kafka's default for how long a segment is written to.
const usualSegmentTime = 7 * 24 * time.Hour

// layout says how a topic is made.
func (a *Admin) layout(w wanted) string {
	return fmt.Sprintf("%d partitions, replication %d, min ISR %d, retention %s",
		w.partitions, a.cfg.Replication, a.minISR(), days(time.Duration(a.cfg.Retention)))
}

// Apply makes the topics that are missing. It changes those that are there in what flags were given for, and, if
// allowed, mends their faults. If any of it cannot be done or was not agreed to, nothing is changed. It may be run
// again at any time.
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
			a.sayPlan(p)
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

// Create makes the topics that are missing and leaves the others as they are.
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
		w.configs[keyUnclean] = "false" // only where it differs: some services do not let it be named
	}
	for _, key := range slices.Sorted(maps.Keys(w.configs)) {
		topic.ConfigEntries = append(topic.ConfigEntries, kafka.ConfigEntry{ConfigName: key, ConfigValue: w.configs[key]})
	}
	resp, err := a.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{topic}})
	if err != nil {
		return false, a.unreachable(err)
	}
	switch err := resp.Errors[w.name]; {
	case err == nil:
		a.sayf("%s: made with %s", w.name, a.layout(w))
		return true, nil
	case errors.Is(err, kafka.TopicAlreadyExists):
		return false, nil
	case errors.Is(err, kafka.InvalidReplicationFactor):
		return false, fmt.Errorf("the cluster has fewer than %d brokers; use --replication and --min-isr: %w", a.cfg.Replication, err)
	default:
		return false, fmt.Errorf("create: %w", err)
	}
}

// reach says once, and why, if the cluster does not answer; asked for a change, kafka-go would only say that there is
// no broker.
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
	return fmt.Errorf("kafka at %v: %w (check --kafka-brokers, and that a broker runs)", a.conn.Brokers, err)
}

// Check says where the topics and the brokers' defaults are not as they should be, and returns in how many ways.
func (a *Admin) Check(ctx context.Context) (differences int, err error) {
	if err := a.reach(ctx); err != nil {
		return 0, err
	}
	for _, w := range a.wanted() {
		s, err := a.describe(ctx, w.name)
		if err != nil {
			return differences, fmt.Errorf("topic %s: %w", w.name, err)
		}
		found := []finding{{text: "is missing; `sluice topics apply` makes it"}}
		if !s.missing {
			found = a.compare(w, s)
		}
		for _, f := range found {
			a.sayf("%s: %s", w.name, f.text)
		}
		if len(found) == 0 {
			a.sayf("%s: as it should be", w.name)
		}
		differences += len(found)
	}
	return differences + a.checkBrokers(ctx), nil
}

// checkBrokers looks at what topics without a setting of their own have, the consumer's offsets among them.
func (a *Admin) checkBrokers(ctx context.Context) (differences int) {
	unclean, err := a.uncleanBrokers(ctx)
	if err != nil {
		a.sayf("brokers: their settings cannot be read, %s was not checked: %v", keyUnclean, err)
		return 0
	}
	if len(unclean) == 0 {
		return 0
	}
	a.sayf("brokers: %s is \"true\" by default on %v, should be \"false\": the consumer's offsets can be lost; set it with "+
		"kafka-configs.sh --alter --entity-type brokers --entity-default --add-config %s=false", keyUnclean, unclean, keyUnclean)
	return 1
}

func (a *Admin) sayf(format string, args ...any) { _, _ = fmt.Fprintf(a.out, format+"\n", args...) }
