package topics

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"sluice/internal/settings"
)

func TestApplyMakesBothTopics(t *testing.T) {
	c := newCluster(t)
	said := c.apply(layout())
	require.Contains(t, said, "events: created with 12 partitions")
	require.Contains(t, said, "events.dead: created with 3 partitions")

	require.Equal(t, 12, c.partitions("events"))
	require.Equal(t, 3, c.partitions("events.dead"))
	for topic, bytes := range map[string]int{"events": 2 * mib, "events.dead": 4 * mib} {
		is := c.configs(topic)
		for key, want := range but("max.message.bytes", strconv.Itoa(bytes)) {
			require.Equal(t, want, is[key], "%s: %s", topic, key)
		}
	}
}

func TestApplyAgainChangesNothing(t *testing.T) {
	c := newCluster(t)
	c.apply(layout())
	before := c.configs("events")
	require.Equal(t, "events: no faults\nevents.dead: no faults\n", c.apply(layout()))
	require.Equal(t, before, c.configs("events"))
	require.Equal(t, 12, c.partitions("events"))

	n, said := c.check(layout())
	require.Zero(t, n)
	require.Equal(t, "events: no faults\nevents.dead: no faults\n", said)
}

func TestCheckFindsMissingTopicsAndMakesNone(t *testing.T) {
	c := newCluster(t)
	n, said := c.check(layout())
	require.Equal(t, 2, n)
	require.Contains(t, said, "events: is missing; `sluice topics apply` creates it")
	require.Contains(t, said, "events.dead: is missing")
	n, _ = c.check(layout())
	require.Equal(t, 2, n, "asking for a topic does not make it")
}

// Check prints both values of a fault without a flag. Apply leaves the fault, and corrects it with --fix.
func TestEachFault(t *testing.T) {
	for key, tc := range map[string]struct{ wrong, right string }{
		"cleanup.policy":                 {"compact", "delete"},
		"message.timestamp.type":         {"CreateTime", "LogAppendTime"},
		"max.message.bytes":              {strconv.Itoa(2*mib - 1), strconv.Itoa(2 * mib)},
		"unclean.leader.election.enable": {"true", "false"},
		"retention.bytes":                {"1000000000", "-1"},
		"retention.ms":                   {"86399999", "604800000"},
		"segment.ms":                     {"604800001", "604800000"},
		"segment.bytes":                  {strconv.Itoa(2*mib - 1), "1073741824"},
		"min.insync.replicas":            {"2", "1"}, // with one copy
	} {
		t.Run(key, func(t *testing.T) {
			c := newCluster(t)
			c.apply(layout())
			c.set("events", key, tc.wrong)
			flags := []string{"replication"}
			if key != "min.insync.replicas" {
				flags = single
			}
			before := c.configs("events")

			n, said := c.checkWith(layout(), flags...)
			require.GreaterOrEqual(t, n, 1, said)
			require.Contains(t, said, "events: "+key+" is "+strconv.Quote(tc.wrong))
			require.Contains(t, said, ", should be "+strconv.Quote(tc.right))

			said = c.applyWith(layout(), Change{}, flags...)
			require.Contains(t, said, "events: kept: "+key)
			require.Contains(t, said, "--fix changes it")
			require.Equal(t, before, c.configs("events"), "neither changes anything")

			said = c.applyWith(layout(), Change{DryRun: true, Fix: true, AllowRemoval: true}, flags...)
			require.Contains(t, said, "events: would be changed: "+key)
			require.Equal(t, before, c.configs("events"), "a dry run changes nothing")

			require.Contains(t, c.applyWith(layout(), Change{Fix: true, AllowRemoval: true}, flags...), "events: changed: "+key)
			require.Equal(t, tc.right, c.configs("events")[key])
			n, said = c.checkWith(layout(), flags...)
			require.Zero(t, n, said)
		})
	}
}

// The most extreme harmless values are no faults.
func TestNoFault(t *testing.T) {
	for key, value := range map[string]string{
		"retention.ms": "86400000", "max.message.bytes": strconv.Itoa(10 * mib), "unclean.leader.election.enable": "false",
		"retention.bytes": "-1", "compression.type": "zstd", "segment.bytes": strconv.Itoa(2 * mib),
	} {
		c := newCluster(t)
		c.apply(layout())
		if key == "retention.ms" {
			c.set("events", "segment.ms", value)
		}
		c.set("events", key, value)
		n, said := c.check(layout())
		require.Zero(t, n, said)
	}
	c := newCluster(t)
	c.apply(layout())
	c.set("events", "retention.ms", "-1")
	n, said := c.check(layout())
	require.Zero(t, n, said)
}

// Apply leaves settings without a given flag unchanged, on both topics.
func TestApplyLeavesAloneWhatIsNotGiven(t *testing.T) {
	c := newCluster(t)
	own := map[string]string{
		"retention.ms": "2592000000", "min.insync.replicas": "1", "max.message.bytes": strconv.Itoa(10 * mib), "cleanup.policy": "compact",
		"retention.bytes": "123456789", "segment.ms": "3600000", "message.timestamp.type": "CreateTime",
	}
	c.make("events", 24, own)
	c.make("events.dead", 1, own)
	before := map[string]map[string]string{"events": c.configs("events"), "events.dead": c.configs("events.dead")}
	cfg := layout()
	cfg.Replication, cfg.MinISR = 3, 2 // the defaults
	said := c.applyWith(cfg, Change{AllowRemoval: true, AllowLessSafety: true})
	require.NotContains(t, said, "changed:")
	require.Contains(t, said, "events.dead: kept: cleanup.policy")
	for topic, configs := range before {
		require.Equal(t, configs, c.configs(topic))
	}
	require.Equal(t, 24, c.partitions("events"))
	require.Equal(t, 1, c.partitions("events.dead"))
}

// Each flag changes its own setting and no other.
func TestApplyChangesWhatIsGiven(t *testing.T) {
	for flag, tc := range map[string]struct {
		change func(*Config)
		key    string
		want   string
	}{
		"topic-retention":       {func(c *Config) { c.Retention = settings.Duration(30 * 24 * time.Hour) }, "retention.ms", "2592000000"},
		"topic-retention-bytes": {func(c *Config) { c.RetentionBytes = 1 << 30 }, "retention.bytes", "1073741824"},
		"min-isr":               {func(*Config) {}, "min.insync.replicas", "1"},
	} {
		t.Run(flag, func(t *testing.T) {
			c := newCluster(t)
			c.apply(layout())
			if flag == "min-isr" {
				c.set("events", "min.insync.replicas", "2") // with one copy Kafka accepts nothing, so lowering it loses nothing
			}
			before := c.configs("events")
			cfg := layout()
			tc.change(&cfg)
			n, said := c.checkWith(cfg, "replication", flag)
			require.NotZero(t, n)
			require.Contains(t, said, "events: "+tc.key+" is ")
			c.applyWith(cfg, Change{AllowRemoval: true}, "replication", flag)
			before[tc.key] = tc.want
			require.Equal(t, before, c.configs("events"))
		})
	}
}

// A shorter retention needs a flag, for the dead-letter topic as well. Apply prints how many records and bytes Kafka
// removes.
func TestApplyWantsAgreementToRemoval(t *testing.T) {
	for _, topic := range []string{"events", "events.dead"} {
		t.Run(topic, func(t *testing.T) {
			c := newCluster(t)
			cfg := layout()
			cfg.Retention = settings.Duration(30 * 24 * time.Hour)
			c.apply(cfg)
			other := "events.dead"
			if topic == other {
				other = "events"
			}
			c.set(other, "retention.ms", "604800000")
			c.set(topic, "message.timestamp.type", "CreateTime")
			c.produceAt(topic, 600, 1000, time.Now().Add(-10*24*time.Hour))
			c.produceAt(topic, 400, 1000, time.Now())

			err := c.adminWith(layout(), Change{}, "replication", "min-isr", "topic-retention").Apply(t.Context())
			require.ErrorContains(t, err, "topic "+topic+": a shorter retention removes events: about 600 of 1000 records, about 0.6 MB in each copy, older than ")
			require.ErrorContains(t, err, "--allow-removal")
			require.Equal(t, "2592000000", c.configs(topic)["retention.ms"])
			require.Contains(t, c.out.String(), topic+": would be removed: about 600 of 1000")

			said := c.applyWith(layout(), Change{DryRun: true, AllowRemoval: true}, "replication", "min-isr", "topic-retention")
			require.Contains(t, said, topic+": would be removed: about 600 of 1000")
			require.Equal(t, "2592000000", c.configs(topic)["retention.ms"])

			said = c.applyWith(layout(), Change{AllowRemoval: true}, "replication", "min-isr", "topic-retention")
			require.Contains(t, said, topic+": Kafka removes: about 600 of 1000")
			require.Equal(t, "604800000", c.configs(topic)["retention.ms"])
		})
	}
}

// A change from compact to delete shortens the retention. So does a limit in bytes.
func TestOtherWaysToKeepLess(t *testing.T) {
	c := newCluster(t)
	c.apply(layout())
	c.set("events", "cleanup.policy", "compact")
	require.Contains(t, c.refuses(layout(), Change{Fix: true}, single...), "--allow-removal")
	c.set("events", "cleanup.policy", "delete")

	c.set("events", "retention.bytes", "3000000000")
	c.produce("events", 100, 10_000)
	cfg := layout()
	cfg.RetentionBytes = 1 << 30
	said := c.refuses(cfg, Change{}, "replication", "min-isr", "topic-retention-bytes")
	require.Contains(t, said, "about 0 of 100 records, about 0.0 MB in each copy, above the size limit; --allow-removal allows it")
	c.applyWith(cfg, Change{AllowRemoval: true}, "replication", "min-isr", "topic-retention-bytes")
	require.Equal(t, "1073741824", c.configs("events")["retention.bytes"])
}

// A lower min ISR needs a flag. Apply refuses one above the number of copies.
func TestApplyWantsAgreementToLessSafety(t *testing.T) {
	c := newCluster(t, kfake.NumBrokers(3))
	cfg := layout()
	cfg.Replication, cfg.MinISR = 3, 2
	c.applyWith(cfg, Change{})
	less := cfg
	less.MinISR = 1
	require.Contains(t, c.refuses(less, Change{}, "min-isr"), "--allow-less-safety")
	c.applyWith(less, Change{AllowLessSafety: true}, "min-isr")
	require.Equal(t, "1", c.configs("events")["min.insync.replicas"])

	n, said := c.checkWith(cfg)
	require.Equal(t, 2, n, said)
	require.Contains(t, said, `events: min.insync.replicas is "1", should be "2": an acknowledged event may be on one broker only`)
	c.applyWith(cfg, Change{Fix: true})
	n, said = c.checkWith(cfg)
	require.Zero(t, n, said)

	c.set("events", "min.insync.replicas", "3")
	n, said = c.checkWith(cfg)
	require.Equal(t, 1, n, said)
	require.Contains(t, said, "Kafka refuses every event while one broker is down")
	require.Contains(t, c.refuses(cfg, Change{Fix: true}), "--allow-less-safety")
}

// With the defaults Apply neither changes nor breaks a topic of one copy. If the flags ask for the impossible, nothing
// changes.
func TestApplyOnATopicOfOneCopy(t *testing.T) {
	c := newCluster(t)
	c.apply(layout())
	cfg := layout()
	cfg.Replication, cfg.MinISR = 3, 2
	before := c.configs("events")
	said := c.applyWith(cfg, Change{})
	require.Contains(t, said, "events: kept: replication of partition 0 is 1, should be 3")
	require.Equal(t, before, c.configs("events"))
	c.applyWith(cfg, Change{Fix: true})
	require.Equal(t, "1", c.configs("events")["min.insync.replicas"])
	require.Contains(t, c.refuses(cfg, Change{}, "min-isr"), "--min-isr 2: Kafka would refuse every event, because the topic's replication is 1")
	require.Contains(t, c.refuses(cfg, Change{}, "replication"), "replication of partition 0 is 1, should be 3")

	n, said := c.checkWith(cfg)
	require.Equal(t, 2, n, said)
	require.Contains(t, said, "or --replication 1 accepts it")
}

// The default min ISR of a new topic follows the replication.
func TestMinISRFollowsReplication(t *testing.T) {
	c := newCluster(t)
	cfg := layout()
	cfg.MinISR = 2 // the default
	c.applyWith(cfg, Change{}, "replication")
	require.Equal(t, "1", c.configs("events")["min.insync.replicas"])
	_, _, err := NewGiven(c.conn, cfg, Change{}, single, nil)
	require.ErrorContains(t, err, "--min-isr: 1 to --replication (1), not 2")
}

// A broker's default for unclean elections puts the consumer's offsets at risk. Topics that Sluice creates override the
// default.
func TestUncleanBrokers(t *testing.T) {
	c := newCluster(t, kfake.BrokerConfigs(map[string]string{"unclean.leader.election.enable": "true"}))
	c.apply(layout())
	require.Equal(t, "false", c.configs("events")["unclean.leader.election.enable"])
	n, said := c.check(layout())
	require.Equal(t, 1, n, said)
	require.Contains(t, said, `brokers: unclean.leader.election.enable is "true" by default on [0], should be "false"`)
}

// A new topic with a short retention gets segments that fit.
func TestShortRetentionIsNoFaultWhenMade(t *testing.T) {
	c := newCluster(t)
	cfg := layout()
	cfg.Retention = settings.Duration(time.Hour)
	c.applyWith(cfg, Change{}, "replication", "min-isr", "topic-retention")
	require.Equal(t, "3600000", c.configs("events")["segment.ms"])
	n, said := c.checkWith(cfg, "replication", "min-isr", "topic-retention")
	require.Zero(t, n, said)
}

func TestDryRunMakesNothing(t *testing.T) {
	c := newCluster(t)
	said := c.applyWith(layout(), Change{DryRun: true}, single...)
	require.Contains(t, said, "events: would be created with 12 partitions, replication 1, min ISR 1, retention 7d")
	n, _ := c.check(layout())
	require.Equal(t, 2, n)
}

func TestApplyAddsPartitions(t *testing.T) {
	c := newCluster(t)
	c.make("events", 2, right())
	n, said := c.checkWith(layout(), "replication", "min-isr", "partitions")
	require.Equal(t, 2, n)
	require.Contains(t, said, "events: partitions are 2, should be 12")

	require.Contains(t, c.applyWith(layout(), Change{}, "replication", "min-isr", "partitions"), "events: changed: partitions are 2, should be 12")
	require.Equal(t, 12, c.partitions("events"))
}

func TestApplyCannotTakePartitionsAway(t *testing.T) {
	c := newCluster(t)
	c.make("events", 13, right())
	said := c.refuses(layout(), Change{}, "replication", "min-isr", "partitions")
	require.Contains(t, said, "topic events: partitions are 13 and cannot become 12")
	require.Equal(t, 13, c.partitions("events"))
	n, _ := c.check(layout())
	require.Equal(t, 1, n, "events.dead is still missing")
}

// The dead-letter topic may have any number of partitions.
func TestDeadLetterTopicMayHaveAnyPartitions(t *testing.T) {
	c := newCluster(t)
	c.make("events.dead", 12, but("max.message.bytes", strconv.Itoa(4*mib)))
	require.Contains(t, c.applyWith(layout(), Change{}, "replication", "min-isr", "partitions"), "events.dead: no faults")
}

func TestApplyMendsAllFaultsOfATopicAtOnce(t *testing.T) {
	c := newCluster(t)
	c.make("events", 1, map[string]string{"retention.ms": "1000", "cleanup.policy": "compact"})
	c.applyWith(layout(), Change{Fix: true, AllowRemoval: true}, single...)
	n, said := c.check(layout())
	require.Zero(t, n, said)
}

func TestApplyFollowsItsSettings(t *testing.T) {
	c := newCluster(t)
	cfg := layout()
	cfg.Partitions, cfg.Retention = 1, settings.Duration(36*time.Hour)
	c.conn.Topic, c.conn.DeadTopic = "other", "other-dead"
	c.apply(cfg)
	require.Equal(t, 1, c.partitions("other"))
	require.Equal(t, 1, c.partitions("other-dead"))
	require.Equal(t, "129600000", c.configs("other")["retention.ms"])
}

func TestCreateLeavesOthersTopicsAlone(t *testing.T) {
	c := newCluster(t)
	c.make("events", 2, map[string]string{"retention.ms": "1000"})
	require.NoError(t, c.admin(layout()).Create(t.Context()))
	require.Equal(t, 2, c.partitions("events"))
	require.Equal(t, "1000", c.configs("events")["retention.ms"])
	require.Equal(t, 3, c.partitions("events.dead"))
}

func TestMoreCopiesThanBrokers(t *testing.T) {
	c := newCluster(t)
	cfg := layout()
	cfg.Replication, cfg.MinISR = 3, 2
	require.ErrorContains(t, c.adminWith(cfg, Change{}).Apply(t.Context()), "the cluster has fewer than 3 brokers; use --replication")
}
