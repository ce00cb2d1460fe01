package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sluice/consumer/schema"
	"strings"

	"sluice/internal/settings"
	"sluice/internal/topics"
)

// madeTopics is the file in the data directory that lists the topics dev made on other people's Kafka: cluster and
// topic, a line each.
const madeTopics = "kafka-topics"

// claim makes topics and a database of dev's own on servers that it did not start. Everything that can be refused is
// asked before anything is made.
func (d *dev) claim(ctx context.Context, admin *topics.Admin, schema *schema.Migrator) error {
	makeTopics := admin.Create
	if d.cmd.KafkaAddr == "" {
		made, err := d.checkTopics(ctx, admin)
		if err != nil {
			return err
		}
		makeTopics = func(ctx context.Context) error {
			if err := admin.Create(ctx); err != nil {
				return err
			}
			return d.writeMade(made)
		}
	}
	if d.cmd.ClickHouseAddr == "" {
		if err := d.claimDatabase(ctx, schema); err != nil {
			return err
		}
	}
	return makeTopics(ctx)
}

// checkTopics refuses topics that are there, were not named on the command line and were not made from this data
// directory, and a group that somebody else is a member of. It returns the list of topics that this data directory has
// made once the missing ones are made.
func (d *dev) checkTopics(ctx context.Context, admin *topics.Admin) (made []string, err error) {
	cluster, there, err := admin.Existing(ctx)
	if err != nil {
		return nil, err
	}
	if cluster == "" {
		cluster = strings.Join(d.cmd.Kafka.Brokers, ",")
	}
	if made, err = d.readMade(); err != nil {
		return nil, err
	}
	for _, topic := range []string{d.cmd.Kafka.Topic, d.cmd.Kafka.DeadTopic} {
		line := cluster + " " + topic
		switch {
		case slices.Contains(made, line):
		case !slices.Contains(there, topic):
			made = append(made, line)
		case !d.cmd.UseExisting && !d.named(topic):
			return nil, fmt.Errorf("topic %s is there, and was not made by sluice dev with --data-dir %s: name another one with "+
				"--kafka-topic and --kafka-dead-topic, or agree with --use-existing", topic, d.cmd.DataDir)
		}
	}
	return made, d.checkGroup(ctx, admin)
}

// named tells whether the command line names the topic.
func (d *dev) named(topic string) bool {
	return topic == d.cmd.Kafka.Topic && d.given["kafka-topic"].CommandLine ||
		topic == d.cmd.Kafka.DeadTopic && d.given["kafka-dead-topic"].CommandLine
}

// checkGroup refuses a group with members: they would lose partitions to dev.
func (d *dev) checkGroup(ctx context.Context, admin *topics.Admin) error {
	members, err := admin.Members(ctx, d.cmd.Consumer.Group)
	if err != nil || len(members) == 0 {
		return err
	}
	what := fmt.Sprintf("%d members, the first is %s", len(members), members[0])
	if d.cmd.UseExisting {
		d.log.Warn("consumer group has other members, which share the partitions with this one", "group", d.cmd.Consumer.Group, "members", what)
		return nil
	}
	return fmt.Errorf("consumer group %s has %s: sluice dev would take partitions from them; name another one with --kafka-group, "+
		"wait half a minute if it was a sluice dev that was killed, or agree with --use-existing", d.cmd.Consumer.Group, what)
}

func (d *dev) readMade() ([]string, error) {
	text, err := os.ReadFile(filepath.Join(d.cmd.DataDir, madeTopics))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the list of topics: %w", err)
	}
	return settings.List(strings.ReplaceAll(string(text), "\n", ",")), nil
}

func (d *dev) writeMade(lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	if err := os.MkdirAll(d.cmd.DataDir, 0o750); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	text := strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(filepath.Join(d.cmd.DataDir, madeTopics), []byte(text), 0o600); err != nil {
		return fmt.Errorf("write the list of topics: %w", err)
	}
	return nil
}

// claimDatabase makes dev's database on a ClickHouse that it did not start, and refuses one that it did not make.
func (d *dev) claimDatabase(ctx context.Context, schema *schema.Migrator) error {
	database, own, err := schema.Claim(ctx, "sluice dev")
	if err != nil {
		return err
	}
	d.database = database
	if own || d.cmd.UseExisting {
		return nil
	}
	return fmt.Errorf("database %s is there, and was not made by sluice dev: name another one in --clickhouse, such as "+
		"clickhouse://host:9000/%s, or agree with --use-existing that dev changes its schema and writes into it", database, devDatabase)
}
