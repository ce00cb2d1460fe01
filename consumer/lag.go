package consumer

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// lag is how far a partition is behind: in records, from what is committed to the end of the topic, and in time, the age of the oldest
// record that is not in ClickHouse. It outlives the generations in which the partition is ours, so that both go on being reported
// while the group or Kafka is away.
//
// A record is as old as Kafka says, but not older than the last moment at which nothing was left to read, and not younger than its
// arrival here: so a wrong clock makes neither a negative age nor one of years.
type lag struct {
	records func(int64) // tells the gauge

	mu        sync.Mutex
	committed int64     // the committed offset
	in        int64     // all records before it are in ClickHouse, committed or not
	end       int64     // the offset that the next record on the topic will get, as far as it is known
	next      int64     // the offset behind what was read
	read      []readAt  // some of what was read and is not in, oldest first; the first is at or before in, unless offsets are missing
	last      time.Time // of the newest record that was read; zero: none was
	caughtUp  time.Time // when nothing was left to read; zero: never yet
	began     time.Time // when it was first ours
	answered  time.Time // when the leader last told the end
}

// readAt is an offset that was read, and how old its record is.
type readAt struct {
	offset int64
	at     time.Time
}

// maxReadAt bounds what is remembered of what was read; then every other offset is forgotten.
const maxReadAt = 1024

// owns begins at a committed offset, in a new generation or the first one.
func (l *lag) owns(head int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if head < l.in { // written by somebody else, or the topic was made anew
		l.read, l.next = nil, head
	}
	l.committed, l.next, l.end = head, max(l.next, head), max(l.end, head)
	l.move(head)
	l.report()
}

// arrives takes the first record of a fetch.
func (l *lag) arrives(offset, atMillis int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.read); n > 0 && l.read[n-1].offset >= offset {
		return // it was read before
	}
	if len(l.read) >= maxReadAt {
		for i := range maxReadAt / 2 {
			l.read[i] = l.read[2*i]
		}
		l.read = l.read[:maxReadAt/2]
	}
	l.read = append(l.read, readAt{offset, l.believe(atMillis)})
}

// believe corrects a record's time by what this process knows.
func (l *lag) believe(atMillis int64) time.Time {
	at, now := time.UnixMilli(atMillis), time.Now()
	if at.Before(l.caughtUp) {
		at = l.caughtUp
	}
	if atMillis <= 0 || at.After(now) {
		at = now
	}
	return at
}

// fetched takes the answer to a fetch: everything before next was read, and end is the end of the topic. If there were records, the newest
// has a time.
func (l *lag) fetched(next, end int64, records bool, atMillis int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered = time.Now()
	if records {
		l.last = l.believe(atMillis)
	}
	l.next, l.end = max(l.next, next), end
	if next >= end {
		l.caughtUp = l.answered
	}
	l.report()
}

// ends takes the end of the topic from elsewhere. What a fetch says is newer, unless there is more.
func (l *lag) ends(end int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered = time.Now()
	l.end = max(l.end, end)
	l.report()
}

// commits takes a new committed offset. One before what was in is that of a topic that was made anew.
func (l *lag) commits(head int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if head < l.in {
		l.read, l.next = nil, head
	}
	l.committed = head
	l.move(head)
	l.report()
}

// enters takes the offset before which all is in ClickHouse, which is committed a little later.
func (l *lag) enters(in int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.move(in)
}

// move forgets what was read and is in.
func (l *lag) move(in int64) {
	l.in = in
	for len(l.read) > 1 && l.read[1].offset <= in || len(l.read) == 1 && l.next <= in {
		l.read = l.read[1:]
	}
}

func (l *lag) report() { l.records(l.end - l.committed) }

// age is how old the oldest record is that is not in ClickHouse; 0 if there is none.
func (l *lag) age(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.began
	switch {
	case l.in >= l.end:
		return 0
	case len(l.read) > 0:
		at = l.read[0].at
	case l.last.After(l.caughtUp): // what is not read yet is about as old as what was read last
		at = l.last
	case !l.caughtUp.IsZero():
		at = l.caughtUp
	}
	return max(0, now.Sub(at))
}

// unknown is the offset whose record's age is not known, if there is one.
func (l *lag) unknown() (offset int64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.in, l.in < l.end && len(l.read) == 0 && l.last.IsZero() && l.caughtUp.IsZero()
}

// stale says whether nobody has told the end for a time.
func (l *lag) stale(after time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.answered) > after
}

// lags are those of the partitions that are this member's, or were in its last generation.
type lags struct {
	gauge *prometheus.GaugeVec // by topic and partition
	desc  *prometheus.Desc

	mu  sync.Mutex
	all map[int]*lag
}

func newLags() *lags {
	return &lags{
		gauge: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sluice_consumer_lag_records", Help: "Records on the partition that are not yet in ClickHouse.",
		}, []string{"topic", "partition"}),
		desc: prometheus.NewDesc("sluice_consumer_lag_seconds", "Age of the oldest record that is not yet in ClickHouse; 0 when all are.", nil, nil),
		all:  map[int]*lag{},
	}
}

// of is a partition's, from the generation before if it was this member's.
func (l *lags) of(topic string, partition int) *lag {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.all[partition]
	if one == nil {
		one = &lag{began: time.Now(), records: func(n int64) { l.set(topic, partition, n) }}
		l.all[partition] = one
	}
	return one
}

// keep forgets the partitions that are not listed: their lag is another consumer's to report.
func (l *lags) keep(topic string, partitions []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := make(map[int]*lag, len(partitions))
	for _, p := range partitions {
		if one := l.all[p]; one != nil {
			kept[p] = one
		}
	}
	for p := range l.all {
		if kept[p] == nil {
			l.gauge.DeleteLabelValues(topic, partitionLabel(p))
		}
	}
	l.all = kept
}

func (l *lags) set(topic string, partition int, records int64) {
	l.gauge.WithLabelValues(topic, partitionLabel(partition)).Set(float64(max(0, records)))
}

// list is all of them, by partition.
func (l *lags) list() map[int]*lag {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[int]*lag, len(l.all))
	for p, one := range l.all {
		out[p] = one
	}
	return out
}

// Describe is part of prometheus.Collector.
func (l *lags) Describe(out chan<- *prometheus.Desc) { out <- l.desc }

// Collect is part of prometheus.Collector: it looks at the clock when somebody asks.
func (l *lags) Collect(out chan<- prometheus.Metric) {
	var oldest time.Duration
	now := time.Now()
	for _, one := range l.list() {
		oldest = max(oldest, one.age(now))
	}
	out <- prometheus.MustNewConstMetric(l.desc, prometheus.GaugeValue, oldest.Seconds())
}
