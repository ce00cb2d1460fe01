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

// These are Kafka's names of the settings that decide whether an acknowledged event survives.
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
	// leastRetention is the shortest retention without a fault. ClickHouse may then be down for a day.
	leastRetention = 24 * time.Hour
	// leastCopies is how many brokers must store an event before it is acknowledged, so that one of them may be lost.
	leastCopies = 2
	// usualSegmentBytes is Kafka's default of segment.bytes, in bytes.
	usualSegmentBytes = 1 << 30
)

// finding is one difference between a topic and its target, with the change that removes the difference.
type finding struct {
	text string
	// asked: the operator gave a flag for this setting. Other differences are changed only with Change.Fix.
	asked bool
	// key and value are the setting to change, if the change is a setting.
	key, value string
	// fix makes the change. Nil: Sluice cannot make it.
	fix func(context.Context) error
	// weakens: after the change, fewer brokers may store an acknowledged event.
	weakens bool
}

// compare lists the differences: first from the flags given, then the faults that would remain after those changes.
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

// setting returns the finding that the setting key should have another value.
func (a *Admin) setting(w wanted, s state, key, should, why string) finding {
	text := fmt.Sprintf("%s is %q%s, should be %q%s", key, s.configs[key], readable(key, s.configs[key]), should,
		readable(key, should))
	if s.inherited[key] {
		text += ", inherited from the brokers"
	}
	if why != "" {
		text += ": " + why
	}
	return finding{text: text, key: key, value: should, fix: func(ctx context.Context) error {
		return a.setConfig(ctx, w.name, key, should)
	}}
}

// readable returns a value in milliseconds as days, hours or seconds, in brackets. It returns "" for other values.
func readable(key, value string) string {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 || !strings.HasSuffix(key, ".ms") {
		return ""
	}
	return " (" + days(time.Duration(n)*time.Millisecond) + ")"
}

// days formats a duration: in days if it is a whole number of days.
func days(d time.Duration) string {
	if d >= 24*time.Hour && d%(24*time.Hour) == 0 {
		return strconv.Itoa(int(d/(24*time.Hour))) + "d"
	}
	return d.String()
}

// compareLayout compares the numbers of partitions and of copies.
func (a *Admin) compareLayout(w wanted, s state) []finding {
	var found []finding
	if n := len(s.partitions); a.given("partitions") && !w.anyPartitions && n != w.partitions {
		f := finding{asked: true, text: fmt.Sprintf("partitions are %d, should be %d", n, w.partitions)}
		if n < w.partitions {
			f.fix = func(ctx context.Context) error { return a.addPartitions(ctx, w.name, w.partitions) }
		} else {
			f.text = fmt.Sprintf("partitions are %d and cannot become %d: Kafka cannot remove partitions", n,
				w.partitions)
		}
		found = append(found, f)
	}
	for _, p := range s.partitions {
		n := len(p.Replicas)
		switch asked := a.given("replication"); {
		case asked && n != a.cfg.Replication:
			return append(found, finding{asked: true, text: fmt.Sprintf(
				"replication of partition %d is %d, should be %d; kafka-reassign-partitions.sh changes it",
				p.ID, n, a.cfg.Replication)})
		case !asked && n < leastCopies:
			return append(found, finding{text: fmt.Sprintf(
				"replication of partition %d is %d, should be %d: losing that broker loses the events; "+
					"kafka-reassign-partitions.sh changes it, or --replication %d accepts it",
				p.ID, n, a.cfg.Replication, n)})
		}
	}
	return found
}

// compareAsked compares the settings that have a flag, if the flag was given.
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
			// A min ISR above the number of copies makes Kafka refuse every event. Lowering it loses no safety.
			found[i].weakens = int64(a.minISR()) < has && has <= int64(s.replication())
		}
	}
	return found
}

// faults lists the settings that can lose acknowledged events or make Kafka refuse what the gateway accepts.
func (a *Admin) faults(w wanted, s state) []finding {
	var found []finding
	fault := func(key, should, why string) { found = append(found, a.setting(w, s, key, should, why)) }
	if v, ok := s.configs[keyCleanup]; ok && v != "delete" {
		fault(keyCleanup, "delete",
			"a compacted topic refuses events without a key and removes all but the last event of a key")
	}
	if v, ok := s.configs[keyTimestamp]; ok && v != w.configs[keyTimestamp] {
		fault(keyTimestamp, w.configs[keyTimestamp], "retention would depend on the sender's clock")
	}
	if v := s.configs[keyUnclean]; v == "true" {
		fault(keyUnclean, "false", "a broker that missed acknowledged events may become leader, which loses them")
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
			"an outage of ClickHouse longer than this loses events; --topic-retention accepts it")
	}
	bytes, sized := s.number(keyRetentionBytes)
	sized = sized && bytes >= 0
	if sized && !a.given("topic-retention-bytes") {
		fault(keyRetentionBytes, "-1", "many events fill this size, "+
			"and Kafka removes them before the retention time; --topic-retention-bytes accepts it")
	}
	if roll, ok := s.number(keySegmentTime); ok && timed && roll > retention {
		fault(keySegmentTime, strconv.FormatInt(retention, 10),
			"Kafka removes whole segments, so events outlive the retention by the age of a segment")
	}
	segment, ok := s.number(keySegmentBytes)
	batch, _ := s.number(keyBatchBytes)
	switch {
	case ok && segment < max(batch, int64(w.batchBytes)):
		fault(keySegmentBytes, strconv.Itoa(usualSegmentBytes), "a batch must fit into a segment")
	case ok && sized && segment > bytes && bytes >= int64(w.batchBytes):
		fault(keySegmentBytes, strconv.FormatInt(bytes, 10),
			"Kafka removes whole segments, so the topic exceeds its size")
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
			"an acknowledged event may be on one broker only, and is lost with it; --min-isr 1 accepts it")
	case n == copies && copies > leastCopies:
		f = a.setting(w, s, keyMinISR, strconv.FormatInt(copies-1, 10),
			"Kafka refuses every event while one broker is down")
		f.weakens = true
	default:
		return nil
	}
	return []finding{f}
}

// given reports whether the operator gave the flag. False: the setting has its default.
func (a *Admin) given(flag string) bool { return slices.Contains(a.flags, flag) }
