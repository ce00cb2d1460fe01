package deadletters

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"sluice/internal/event"
)

// The headers that a dead letter has after its record's own.
const (
	headerPrefix    = "dead-"
	headerReason    = headerPrefix + "reason"
	headerError     = headerPrefix + "error"
	headerTopic     = headerPrefix + "topic"
	headerPartition = headerPrefix + "partition"
	headerOffset    = headerPrefix + "offset"
	headerAt        = headerPrefix + "at"
)

// Place is where a record is on a topic.
type Place struct {
	Partition int   `json:"partition"`
	Offset    int64 `json:"offset"`
}

// String returns partition:offset.
func (p Place) String() string {
	return strconv.Itoa(p.Partition) + ":" + strconv.FormatInt(p.Offset, 10)
}

// Letter is one dead letter.
type Letter struct {
	// Place is where the letter is on the dead-letter topic.
	Place Place `json:"place"`
	// At is when the consumer gave the record up.
	At time.Time `json:"at"`
	// Reason is one of event.DeadReasons. Error says more, in at most 1 KiB.
	Reason string `json:"reason"`
	Error  string `json:"error"`
	// Topic and From are where the record was.
	Topic string `json:"topic"`
	From  Place  `json:"from"`
	// Project and EventID are what the record's headers say. They may be empty.
	Project string `json:"project"`
	EventID string `json:"event_id"`

	// Key, Value and Headers are the record's own. A nil key or value is none.
	Key     []byte         `json:"-"`
	Value   []byte         `json:"-"`
	Headers []kafka.Header `json:"-"`

	all     []kafka.Header // with those of the letter
	written time.Time      // the record's own time
}

// letterOf reads a record of the dead-letter topic. What is missing stays empty: a stranger's record is shown too.
func letterOf(partition int, r *kafka.Record) (Letter, error) {
	l := Letter{Place: Place{partition, r.Offset}, At: r.Time.UTC(), all: r.Headers, written: r.Time}
	var err error
	if l.Key, err = kafka.ReadAll(r.Key); err != nil {
		return Letter{}, err
	}
	if l.Value, err = kafka.ReadAll(r.Value); err != nil {
		return Letter{}, err
	}
	for _, h := range r.Headers {
		if !strings.HasPrefix(h.Key, headerPrefix) {
			l.Headers = append(l.Headers, h)
		}
		l.note(h.Key, string(h.Value))
	}
	return l, nil
}

// note takes the value of one header.
func (l *Letter) note(name, value string) {
	n, err := strconv.ParseInt(value, 10, 64)
	n = max(0, n) // strangers write letters too
	switch name {
	case headerReason:
		l.Reason = value
	case headerError:
		l.Error = value
	case headerTopic:
		l.Topic = value
	case headerPartition:
		l.From.Partition = int(n)
	case headerOffset:
		l.From.Offset = n
	case headerAt:
		if err == nil {
			l.At = time.UnixMilli(n).UTC()
		}
	case event.HeaderProject:
		l.Project = value
	case event.HeaderEventID:
		l.EventID = value
	}
}

// Reasons returns the reasons that a filter may name.
func Reasons() []string {
	var names []string
	for _, r := range event.DeadReasons() {
		names = append(names, string(r))
	}
	slices.Sort(names)
	return names
}
