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

// createdTopics is the file in the data directory that lists the topics dev created on an external Kafka: one line
// each, with the cluster and the topic.
const createdTopics = "kafka-topics"

// claim creates dev's topics and database on servers that dev did not start. All checks that can refuse come before it
// creates anything.
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
			return d.writeCreated(made)
		}
	}
	if d.cmd.ClickHouseAddr == "" {
		if err := d.claimDatabase(ctx, schema); err != nil {
			return err
		}
	}
	return makeTopics(ctx)
}

// checkTopics returns an error for an existing topic, unless the command line names it or dev created it for this data
// directory. It also returns an error for a group with other members. created lists this data directory's topics,
// including those that dev will create next.
func (d *dev) checkTopics(ctx context.Context, admin *topics.Admin) (created []string, err error) {
	cluster, there, err := admin.Existing(ctx)
	if err != nil {
		return nil, err
	}
	if cluster == "" {
		cluster = strings.Join(d.cmd.Kafka.Brokers, ",")
	}
	if created, err = d.readCreated(); err != nil {
		return nil, err
	}
	for _, topic := range []string{d.cmd.Kafka.Topic, d.cmd.Kafka.DeadTopic} {
		line := cluster + " " + topic
		switch {
		case slices.Contains(created, line):
		case !slices.Contains(there, topic):
			created = append(created, line)
		case !d.cmd.UseExisting && !d.named(topic):
			return nil, fmt.Errorf("topic %s exists, and sluice dev with --data-dir %s did not create it: "+
				"choose another one with --kafka-topic and --kafka-dead-topic, or allow it with --use-existing",
				topic, d.cmd.DataDir)
		}
	}
	return created, d.checkGroup(ctx, admin)
}

// named reports whether the command line names the topic.
func (d *dev) named(topic string) bool {
	return topic == d.cmd.Kafka.Topic && d.given["kafka-topic"].CommandLine ||
		topic == d.cmd.Kafka.DeadTopic && d.given["kafka-dead-topic"].CommandLine
}

// checkGroup returns an error for a group with members, which would lose partitions to dev.
func (d *dev) checkGroup(ctx context.Context, admin *topics.Admin) error {
	members, err := admin.Members(ctx, d.cmd.Consumer.Group)
	if err != nil || len(members) == 0 {
		return err
	}
	what := fmt.Sprintf("%d members, the first one %s", len(members), members[0])
	if d.cmd.UseExisting {
		d.log.Warn("consumer group has other members, which share the partitions with this one",
			"group", d.cmd.Consumer.Group, "members", what)
		return nil
	}
	return fmt.Errorf("consumer group %s has %s: sluice dev would take partitions from them; "+
		"choose another one with --kafka-group, wait half a minute if the member is a killed sluice dev, "+
		"or allow it with --use-existing", d.cmd.Consumer.Group, what)
}

func (d *dev) readCreated() ([]string, error) {
	text, err := os.ReadFile(filepath.Join(d.cmd.DataDir, createdTopics))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the list of topics: %w", err)
	}
	return settings.List(strings.ReplaceAll(string(text), "\n", ",")), nil
}

func (d *dev) writeCreated(lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	if err := os.MkdirAll(d.cmd.DataDir, 0o750); err != nil {
		return fmt.Errorf("create the data directory: %w", err)
	}
	text := strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(filepath.Join(d.cmd.DataDir, createdTopics), []byte(text), 0o600); err != nil {
		return fmt.Errorf("write the list of topics: %w", err)
	}
	return nil
}

// claimDatabase creates dev's database on a ClickHouse that dev did not start. It returns an error for a database that
// dev did not create.
func (d *dev) claimDatabase(ctx context.Context, schema *schema.Migrator) error {
	database, own, err := schema.Claim(ctx, "sluice dev")
	if err != nil {
		return err
	}
	d.database = database
	if own || d.cmd.UseExisting {
		return nil
	}
	return fmt.Errorf("database %s exists, and sluice dev did not create it: "+
		"choose another one in --clickhouse, for instance clickhouse://host:9000/%s, "+
		"or let dev change its schema and write into it with --use-existing", database, devDatabase)
}
