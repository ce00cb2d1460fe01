package lag

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Lag is how far a partition is behind: in records, from the committed offset to the end of the topic, and in time, the
// age of the oldest record that is not in ClickHouse. It outlives the generations in which the partition is ours, so
// that both are reported while the group or Kafka is away. It is safe for concurrent use.
//
// A record is as old as Kafka says, but not older than the last moment at which everything was read, and not younger
// than its arrival here. So a wrong clock makes neither a negative age nor one of years.
type Lag struct {
	records func(int64) // sets the gauge

	mu        sync.Mutex
	committed int64     // the committed offset
	in        int64     // all records before it are in ClickHouse, committed or not
	end       int64     // the offset that the next record on the topic will get, as far as it is known
	next      int64     // the offset behind what was read
	read      []readAt  // some of what was read and is not in, oldest first; the first is at or before in
	last      time.Time // of the newest record that was read; zero: none was
	caughtUp  time.Time // when everything was last read; zero: never yet
	began     time.Time // when the partition was first ours
	answered  time.Time // when the leader last said where the topic ends
}

// readAt is an offset that was read, and how old its record is.
type readAt struct {
	offset int64
	at     time.Time
}

// maxReadAt bounds how many read offsets are kept. Above it every second one is forgotten.
const maxReadAt = 1024

// Owns begins at a committed offset, in the first generation or a new one.
func (l *Lag) Owns(head int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if head < l.in { // another owner has set it, or the topic was created anew
		l.read, l.next = nil, head
	}
	l.committed, l.next, l.end = head, max(l.next, head), max(l.end, head)
	l.move(head)
	l.report()
}

// Arrives takes the offset and the timestamp, in Unix milliseconds, of the first record of an answer.
func (l *Lag) Arrives(offset, timestamp int64) {
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
	l.read = append(l.read, readAt{offset, l.believe(timestamp)})
}

// believe bounds a record's time by what this process knows.
func (l *Lag) believe(timestamp int64) time.Time {
	at, now := time.UnixMilli(timestamp), time.Now()
	if at.Before(l.caughtUp) {
		at = l.caughtUp
	}
	if timestamp <= 0 || at.After(now) {
		at = now
	}
	return at
}

// Fetched takes an answer: everything before next was read, and end is the end of the topic. If records is true,
// timestamp is that of the newest record.
func (l *Lag) Fetched(next, end int64, records bool, timestamp int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered = time.Now()
	if records {
		l.last = l.believe(timestamp)
	}
	l.next, l.end = max(l.next, next), end
	if next >= end {
		l.caughtUp = l.answered
	}
	l.report()
}

// Ends takes the end of the topic from another request. A fetch knows it better, unless this one is higher.
func (l *Lag) Ends(end int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered = time.Now()
	l.end = max(l.end, end)
	l.report()
}

// Commits takes a new committed offset. If it is before what was in, the topic was created anew.
func (l *Lag) Commits(head int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if head < l.in {
		l.read, l.next = nil, head
	}
	l.committed = head
	l.move(head)
	l.report()
}

// Enters takes the offset before which everything is in ClickHouse. It is committed a little later.
func (l *Lag) Enters(in int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.move(in)
}

// move forgets the read offsets that are in.
func (l *Lag) move(in int64) {
	l.in = in
	for len(l.read) > 1 && l.read[1].offset <= in || len(l.read) == 1 && l.next <= in {
		l.read = l.read[1:]
	}
}

func (l *Lag) report() { l.records(l.end - l.committed) }

// age is the age of the oldest record that is not in ClickHouse; 0 if there is none.
func (l *Lag) age(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.began
	switch {
	case l.in >= l.end:
		return 0
	case len(l.read) > 0:
		at = l.read[0].at
	case l.last.After(l.caughtUp): // records that are not read yet are about as old as the last one that was
		at = l.last
	case !l.caughtUp.IsZero():
		at = l.caughtUp
	}
	return max(0, now.Sub(at))
}

// Unknown is the offset of the oldest record, if nothing is known about its age.
func (l *Lag) Unknown() (offset int64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.in, l.in < l.end && len(l.read) == 0 && l.last.IsZero() && l.caughtUp.IsZero()
}

// Stale says whether the end of the topic is older news than a time.
func (l *Lag) Stale(after time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.answered) > after
}

// Lags has the lag of each partition that is this member's, or was in its last generation. It is safe for concurrent
// use.
type Lags struct {
	Gauge *prometheus.GaugeVec // by topic and partition
	desc  *prometheus.Desc

	mu  sync.Mutex
	all map[int]*Lag
}

// New makes Lags without partitions.
func New() *Lags {
	return &Lags{
		Gauge: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sluice_consumer_lag_records", Help: "Records on the partition that are not yet in ClickHouse.",
		}, []string{"topic", "partition"}),
		desc: prometheus.NewDesc("sluice_consumer_lag_seconds",
			"Age of the oldest record that is not yet in ClickHouse; 0 when all are.", nil, nil),
		all: map[int]*Lag{},
	}
}

// Of is the lag of a partition. It goes on from the generation before, if the partition was this member's.
func (l *Lags) Of(topic string, partition int) *Lag {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.all[partition]
	if one == nil {
		one = &Lag{began: time.Now(), records: func(n int64) { l.set(topic, partition, n) }}
		l.all[partition] = one
	}
	return one
}

// Keep forgets the partitions that are not listed: another consumer reports their lag.
func (l *Lags) Keep(topic string, partitions []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := make(map[int]*Lag, len(partitions))
	for _, p := range partitions {
		if one := l.all[p]; one != nil {
			kept[p] = one
		}
	}
	for p := range l.all {
		if kept[p] == nil {
			l.Gauge.DeleteLabelValues(topic, strconv.Itoa(p))
		}
	}
	l.all = kept
}

func (l *Lags) set(topic string, partition int, records int64) {
	l.Gauge.WithLabelValues(topic, strconv.Itoa(partition)).Set(float64(max(0, records)))
}

// List returns all lags, by partition.
func (l *Lags) List() map[int]*Lag {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[int]*Lag, len(l.all))
	for p, one := range l.all {
		out[p] = one
	}
	return out
}

// Describe is part of prometheus.Collector.
func (l *Lags) Describe(out chan<- *prometheus.Desc) { out <- l.desc }

// Collect is part of prometheus.Collector. The age grows between two scrapes.
func (l *Lags) Collect(out chan<- prometheus.Metric) {
	var oldest time.Duration
	now := time.Now()
	for _, one := range l.List() {
		oldest = max(oldest, one.age(now))
	}
	out <- prometheus.MustNewConstMetric(l.desc, prometheus.GaugeValue, oldest.Seconds())
}
