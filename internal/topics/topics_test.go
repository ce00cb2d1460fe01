package topics

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/settings"
)

func TestApplyMakesBothTopics(t *testing.T) {
	c := newCluster(t)
	said := c.apply(layout())
	require.Contains(t, said, "events: made with 12 partitions")
	require.Contains(t, said, "events.dead: made with 3 partitions")

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
	require.Equal(t, "events: as it should be\nevents.dead: as it should be\n", c.apply(layout()))
	require.Equal(t, before, c.configs("events"))
	require.Equal(t, 12, c.partitions("events"))

	n, said := c.check(layout())
	require.Zero(t, n)
	require.Equal(t, "events: as it should be\nevents.dead: as it should be\n", said)
}

func TestCheckFindsMissingTopicsAndMakesNone(t *testing.T) {
	c := newCluster(t)
	n, said := c.check(layout())
	require.Equal(t, 2, n)
	require.Contains(t, said, "events: is missing; `sluice topics apply` makes it")
	require.Contains(t, said, "events.dead: is missing")
	n, _ = c.check(layout())
	require.Equal(t, 2, n, "asking for a topic does not make it")
}

// Each kind of difference is found by check, mended by apply, and then gone.
func TestEachDifference(t *testing.T) {
	for key, wrong := range map[string]string{
		"cleanup.policy": "compact", "retention.ms": "3600000", "min.insync.replicas": "2",
		"message.timestamp.type": "CreateTime", "max.message.bytes": "1048588",
	} {
		t.Run(key, func(t *testing.T) {
			c := newCluster(t)
			c.apply(layout())
			c.set("events", key, wrong)

			n, said := c.check(layout())
			require.Equal(t, 1, n, said)
			text := key + " is " + strconv.Quote(wrong) + ", should be " + strconv.Quote(right()[key])
			require.Contains(t, said, "events: "+text)
			require.Equal(t, wrong, c.configs("events")[key], "check changes nothing")

			require.Equal(t, "events: changed: "+text+"\nevents.dead: as it should be\n", c.apply(layout()))
			require.Equal(t, right()[key], c.configs("events")[key])
			n, said = c.check(layout())
			require.Zero(t, n, said)
		})
	}
}

func TestApplyAddsPartitions(t *testing.T) {
	c := newCluster(t)
	c.make("events", 2, right())
	n, said := c.check(layout())
	require.Equal(t, 2, n)
	require.Contains(t, said, "events: partitions are 2, should be 12")

	require.Contains(t, c.apply(layout()), "events: changed: partitions are 2, should be 12")
	require.Equal(t, 12, c.partitions("events"))
}

func TestApplyCannotTakePartitionsAway(t *testing.T) {
	c := newCluster(t)
	c.make("events", 13, right())
	a := c.admin(layout())
	err := a.Apply(t.Context())
	require.ErrorContains(t, err, "topic events: partitions are 13 and cannot become 12")
	require.Equal(t, 13, c.partitions("events"))
	require.Contains(t, c.out.String(), "events.dead: made", "the fault of one topic does not keep the other from its turn")
}

// Nobody counts on the number of the dead-letter topic's partitions; more of them do no harm.
func TestDeadLetterTopicMayHaveMorePartitions(t *testing.T) {
	c := newCluster(t)
	c.make("events.dead", 12, but("max.message.bytes", strconv.Itoa(4*mib)))
	require.Contains(t, c.apply(layout()), "events.dead: as it should be")
}

func TestApplyMendsAllDifferencesOfATopicAtOnce(t *testing.T) {
	c := newCluster(t)
	c.make("events", 1, map[string]string{"retention.ms": "1000", "cleanup.policy": "compact"})
	c.apply(layout())
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
	c.apply(layout())
	cfg := layout()
	cfg.Replication, cfg.MinISR = 3, 2
	n, said := c.check(cfg)
	require.Equal(t, 4, n, said)
	require.Contains(t, said, "replication of partition 0 is 1, should be 3")
	require.Contains(t, said, `min.insync.replicas is "1", should be "2"`)
	require.ErrorContains(t, c.admin(cfg).Apply(t.Context()), "replication of partition 0 is 1, should be 3")
}
