package topics

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kafka's names of the settings that decide whether an acknowledged event stays.
const (
	keyCleanup        = "cleanup.policy"
	keyRetention      = "retention.ms"
	keyRetentionBytes = "retention.bytes"
	keyMinISR         = "min.insync.replicas"
	keyBatchBytes     = "max.message.bytes"
	keyTimestamp      = "message.timestamp.type"
	keyUnclean        = "unclean.leader.election.enable"
	keySegmentBytes   = "segment.bytes"
	keySegmentTime    = "segment.ms"
)

const (
	// leastRetention is the shortest retention that nobody has to ask for: ClickHouse may be away for a day.
	leastRetention = 24 * time.Hour
	// leastCopies is how many brokers must have an acknowledged event, so that one of them may be lost.
	leastCopies = 2
	// usualSegmentBytes is Kafka's own default, in bytes.
	usualSegmentBytes = 1 << 30
)

// finding is one way in which a topic is not as it should be, and the change that mends it.
type finding struct {
	text string
	// asked: a flag was given for it. Anything else is changed with Change.Fix only.
	asked bool
	// key and value are the setting to make, if that is the change.
	key, value string
	// fix makes the change. Nil: it cannot be made from here.
	fix func(context.Context) error
	// weakens: an acknowledged event may be on fewer brokers after the change.
	weakens bool
}

// compare lists what is not as it should be: first what was asked for, then the faults that would remain.
func (a *Admin) compare(w wanted, s state) []finding {
	found := a.compareLayout(w, s)
	next := s
	next.configs = maps.Clone(s.configs)
	for _, f := range a.compareAsked(w, s) {
		next.configs[f.key] = f.value
		found = append(found, f)
	}
	return append(found, a.faults(w, next)...)
}

// setting is the finding that a setting has another value than it should have.
func (a *Admin) setting(w wanted, s state, key, should, why string) finding {
	text := fmt.Sprintf("%s is %q%s, should be %q%s", key, s.configs[key], readable(key, s.configs[key]), should, readable(key, should))
	if s.inherited[key] {
		text += ", and comes from the brokers' default"
	}
	if why != "" {
		text += ": " + why
	}
	return finding{text: text, key: key, value: should, fix: func(ctx context.Context) error {
		return a.setConfig(ctx, w.name, key, should)
	}}
}

// readable says milliseconds in days, hours or seconds.
func readable(key, value string) string {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 || !strings.HasSuffix(key, ".ms") {
		return ""
	}
	return " (" + days(time.Duration(n)*time.Millisecond) + ")"
}

// days writes a duration in days where it is a whole number of them.
func days(d time.Duration) string {
	if d >= 24*time.Hour && d%(24*time.Hour) == 0 {
		return strconv.Itoa(int(d/(24*time.Hour))) + "d"
	}
	return d.String()
}

// compareLayout compares the number of partitions and copies.
func (a *Admin) compareLayout(w wanted, s state) []finding {
	var found []finding
	if n := len(s.partitions); a.given("partitions") && !w.anyPartitions && n != w.partitions {
		f := finding{asked: true, text: fmt.Sprintf("partitions are %d, should be %d", n, w.partitions)}
		if n < w.partitions {
			f.fix = func(ctx context.Context) error { return a.addPartitions(ctx, w.name, w.partitions) }
		} else {
			f.text = fmt.Sprintf("partitions are %d and cannot become %d: Kafka never takes partitions away", n, w.partitions)
		}
		found = append(found, f)
	}
	for _, p := range s.partitions {
		n := len(p.Replicas)
		switch asked := a.given("replication"); {
		case asked && n != a.cfg.Replication:
			return append(found, finding{asked: true, text: fmt.Sprintf(
				"replication of partition %d is %d, should be %d; kafka-reassign-partitions.sh changes it", p.ID, n, a.cfg.Replication)})
		case !asked && n < leastCopies:
			return append(found, finding{text: fmt.Sprintf(
				"replication of partition %d is %d, should be %d: the events are lost with that broker; "+
					"kafka-reassign-partitions.sh changes it, or say with --replication %d that it is meant", p.ID, n, a.cfg.Replication, n)})
		}
	}
	return found
}

// compareAsked compares the settings for which a flag was given.
func (a *Admin) compareAsked(w wanted, s state) []finding {
	var found []finding
	ask := func(flag, key, should string) {
		if !a.given(flag) || s.configs[key] == should {
			return
		}
		f := a.setting(w, s, key, should, "")
		f.asked = true
		found = append(found, f)
	}
	ask("topic-retention", keyRetention, w.configs[keyRetention])
	ask("topic-retention-bytes", keyRetentionBytes, strconv.FormatInt(a.cfg.RetentionBytes, 10))
	ask("min-isr", keyMinISR, w.configs[keyMinISR])
	for i, f := range found {
		if has, ok := s.number(keyMinISR); f.key == keyMinISR && ok {
			// With more than there are copies Kafka takes nothing at all: there is no safety to lose.
			found[i].weakens = int64(a.minISR()) < has && has <= int64(s.replication())
		}
	}
	return found
}

// faults are the settings under which acknowledged events can get lost or Kafka refuses what the gateway accepts.
func (a *Admin) faults(w wanted, s state) []finding {
	var found []finding
	fault := func(key, should, why string) { found = append(found, a.setting(w, s, key, should, why)) }
	if v, ok := s.configs[keyCleanup]; ok && v != "delete" {
		fault(keyCleanup, "delete", "a compacted topic refuses events without a key and removes those that share one")
	}
	if v, ok := s.configs[keyTimestamp]; ok && v != w.configs[keyTimestamp] {
		fault(keyTimestamp, w.configs[keyTimestamp], "retention would go by the sender's clock")
	}
	if v := s.configs[keyUnclean]; v == "true" {
		fault(keyUnclean, "false", "a broker that missed acknowledged events may become leader, and they are lost")
	}
	if n, ok := s.number(keyBatchBytes); ok && n < int64(w.batchBytes) {
		fault(keyBatchBytes, strconv.Itoa(w.batchBytes), "Kafka would refuse batches that Sluice sends")
	}
	found = append(found, a.retentionFaults(w, s)...)
	return append(found, a.minISRFaults(w, s)...)
}

func (a *Admin) retentionFaults(w wanted, s state) []finding {
	var found []finding
	fault := func(key, should, why string) { found = append(found, a.setting(w, s, key, should, why)) }
	retention, timed := s.number(keyRetention)
	timed = timed && retention >= 0
	if timed && !a.given("topic-retention") && retention < leastRetention.Milliseconds() {
		fault(keyRetention, w.configs[keyRetention],
			"events are lost when ClickHouse is away for longer; --topic-retention says that it is meant")
	}
	bytes, sized := s.number(keyRetentionBytes)
	sized = sized && bytes >= 0
	if sized && !a.given("topic-retention-bytes") {
		fault(keyRetentionBytes, "-1", "events are removed before their time when there are many; --topic-retention-bytes says that it is meant")
	}
	if roll, ok := s.number(keySegmentTime); ok && timed && roll > retention {
		fault(keySegmentTime, strconv.FormatInt(retention, 10),
			"Kafka removes whole segments, so that events stay for the segment's time longer than the retention")
	}
	segment, ok := s.number(keySegmentBytes)
	batch, _ := s.number(keyBatchBytes)
	switch {
	case ok && segment < max(batch, int64(w.batchBytes)):
		fault(keySegmentBytes, strconv.Itoa(usualSegmentBytes), "a batch must fit into a segment")
	case ok && sized && segment > bytes && bytes >= int64(w.batchBytes):
		fault(keySegmentBytes, strconv.FormatInt(bytes, 10), "Kafka removes whole segments, so that the size is exceeded")
	}
	return found
}

func (a *Admin) minISRFaults(w wanted, s state) []finding {
	n, ok := s.number(keyMinISR)
	copies := int64(s.replication())
	if !ok || copies == 0 {
		return nil
	}
	var f finding
	switch should := min(leastCopies, copies); {
	case n > copies:
		f = a.setting(w, s, keyMinISR, strconv.FormatInt(should, 10),
			fmt.Sprintf("with replication %d Kafka refuses every event", copies))
	case a.given("min-isr"):
		return nil
	case n < should:
		f = a.setting(w, s, keyMinISR, strconv.FormatInt(should, 10),
			"an acknowledged event may be on one broker only, and lost with it; --min-isr 1 says that it is meant")
	case n == copies && copies > leastCopies:
		f = a.setting(w, s, keyMinISR, strconv.FormatInt(copies-1, 10), "with one broker away Kafka refuses every event")
		f.weakens = true
	default:
		return nil
	}
	return []finding{f}
}

// given tells whether a flag was given, as opposed to having its default.
func (a *Admin) given(flag string) bool { return slices.Contains(a.flags, flag) }
