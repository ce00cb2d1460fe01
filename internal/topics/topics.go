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

// Config says how the topics are made.
type Config struct {
	Partitions  int               `name:"partitions" default:"12" help:"Partitions of the events topic: as many consumers can share the work. More can be added later, fewer not."`
	Replication int               `name:"replication" default:"${replication}" help:"Copies of each partition, on as many brokers."`
	MinISR      int               `name:"min-isr" default:"${min_isr}" help:"Copies that must have an event before it is acknowledged."`
	Retention   settings.Duration `name:"topic-retention" default:"7d" help:"How long Kafka keeps events and dead letters: how long ClickHouse may be away before events are lost."`
}

// The largest batch a topic takes, in bytes. A dead letter is larger than the record it was.
const (
	eventsBatchBytes = 2 << 20
	deadBatchBytes   = 4 << 20
)

// Check reports every fault of the settings.
func (c Config) Check() error {
	var faults []error
	if c.Partitions < 1 || c.Partitions > 10_000 {
		faults = append(faults, fmt.Errorf("--partitions: 1 to 10000, not %d", c.Partitions))
	}
	if c.Replication < 1 || c.Replication > 100 {
		faults = append(faults, fmt.Errorf("--replication: 1 to 100, not %d", c.Replication))
	}
	if c.MinISR < 1 || c.MinISR > c.Replication {
		faults = append(faults, fmt.Errorf("--min-isr: 1 to --replication (%d), not %d", c.Replication, c.MinISR))
	}
	if time.Duration(c.Retention) < time.Hour {
		faults = append(faults, errors.New("--topic-retention: at least 1h"))
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
}

// New returns an Admin that says on out what it does. It opens nothing; call close when done.
func New(conn kafkaconn.Config, cfg Config, out io.Writer) (admin *Admin, closeAdmin func(), err error) {
	if err := errors.Join(conn.Check(), cfg.Check()); err != nil {
		return nil, nil, err
	}
	transport, err := conn.Transport("sluice-topics")
	if err != nil {
		return nil, nil, err
	}
	return &Admin{conn: conn, cfg: cfg, client: conn.Client(transport), out: out}, transport.CloseIdleConnections, nil
}

// wanted is a topic as it should be.
type wanted struct {
	name        string
	partitions  int
	mayHaveMore bool // partitions: nobody counts on their number
	configs     map[string]string
}

func (a *Admin) wanted() []wanted {
	retention := strconv.FormatInt(time.Duration(a.cfg.Retention).Milliseconds(), 10)
	configs := func(batchBytes int) map[string]string {
		return map[string]string{
			"cleanup.policy":         "delete",
			"retention.ms":           retention,
			"min.insync.replicas":    strconv.Itoa(a.cfg.MinISR),
			"max.message.bytes":      strconv.Itoa(batchBytes),
			"message.timestamp.type": "LogAppendTime", // what a client says the time is never becomes record time
		}
	}
	return []wanted{
		{a.conn.Topic, a.cfg.Partitions, false, configs(eventsBatchBytes)},
		{a.conn.DeadTopic, min(3, a.cfg.Partitions), true, configs(deadBatchBytes)},
	}
}

// Apply makes the topics that are missing, and changes settings and adds partitions where they differ. It may be run again
// at any time.
func (a *Admin) Apply(ctx context.Context) error {
	if err := a.reach(ctx); err != nil {
		return err
	}
	var faults []error
	for _, w := range a.wanted() {
		made, err := a.create(ctx, w)
		if err == nil && !made {
			err = a.adjust(ctx, w)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("topic %s: %w", w.name, err))
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
	for _, key := range slices.Sorted(maps.Keys(w.configs)) {
		topic.ConfigEntries = append(topic.ConfigEntries, kafka.ConfigEntry{ConfigName: key, ConfigValue: w.configs[key]})
	}
	resp, err := a.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{topic}})
	if err != nil {
		return false, a.unreachable(err)
	}
	switch err := resp.Errors[w.name]; {
	case err == nil:
		a.sayf("%s: made with %d partitions, replication %d, min ISR %d", w.name, w.partitions, a.cfg.Replication, a.cfg.MinISR)
		return true, nil
	case errors.Is(err, kafka.TopicAlreadyExists):
		return false, nil
	case errors.Is(err, kafka.InvalidReplicationFactor):
		return false, fmt.Errorf("the cluster has fewer than %d brokers; use --replication and --min-isr: %w", a.cfg.Replication, err)
	default:
		return false, fmt.Errorf("create: %w", err)
	}
}

// reach says once, and why, if the cluster does not answer; asked for a change, kafka-go would only say that there is no
// broker.
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

// adjust brings a topic that is there in line.
func (a *Admin) adjust(ctx context.Context, w wanted) error {
	diffs, err := a.compare(ctx, w)
	if err != nil {
		return err
	}
	var faults []error
	for _, d := range diffs {
		if d.fix == nil {
			faults = append(faults, errors.New(d.text))
			continue
		}
		if err := a.fix(ctx, d); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", d.text, err))
			continue
		}
		a.sayf("%s: changed: %s", w.name, d.text)
	}
	if len(diffs) == 0 {
		a.sayf("%s: as it should be", w.name)
	}
	return errors.Join(faults...)
}

func (a *Admin) fix(ctx context.Context, d difference) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return d.fix(ctx)
}

// Check says where the topics differ, and returns how many differences there are.
func (a *Admin) Check(ctx context.Context) (differences int, err error) {
	if err := a.reach(ctx); err != nil {
		return 0, err
	}
	for _, w := range a.wanted() {
		diffs, err := a.compare(ctx, w)
		if err != nil {
			return differences, fmt.Errorf("topic %s: %w", w.name, err)
		}
		for _, d := range diffs {
			a.sayf("%s: %s", w.name, d.text)
		}
		if len(diffs) == 0 {
			a.sayf("%s: as it should be", w.name)
		}
		differences += len(diffs)
	}
	return differences, nil
}

func (a *Admin) sayf(format string, args ...any) { _, _ = fmt.Fprintf(a.out, format+"\n", args...) }
