package consumer

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/consumer/rowbuilder"
	"sluice/consumer/rows"
	"sluice/internal/event"
	"sluice/internal/recordbatch"
)

// with returns the headers of a good record with one of them changed, or added.
func with(key, value string) []event.Header {
	headers := plain(1).Headers
	for i := range headers {
		if headers[i].Key == key {
			headers[i].Value = []byte(value)
			return headers
		}
	}
	return append(headers, event.Header{Key: key, Value: []byte(value)})
}

func without(key string) []event.Header {
	var kept []event.Header
	for _, h := range plain(1).Headers {
		if h.Key != key {
			kept = append(kept, h)
		}
	}
	return kept
}

// eventOf is a good event of a number of bytes.
func eventOf(size int) []byte {
	const frame = `{"message":"big","filler":""}`
	return []byte(strings.Replace(frame, `""`, `"`+strings.Repeat("x", size-len(frame))+`"`, 1))
}

type poison struct {
	name   string
	record recordbatch.Record
	reason event.DeadReason
}

// poisons are records that anybody who can write to the topic might leave there.
func poisons() []poison {
	good := plain(1)
	value := func(v string) recordbatch.Record { return recordbatch.Record{Value: []byte(v), Headers: good.Headers} }
	headers := func(h []event.Header) recordbatch.Record { return recordbatch.Record{Value: good.Value, Headers: h} }
	return []poison{
		{"tombstone", recordbatch.Record{Key: []byte("k"), Headers: good.Headers}, event.DeadTombstone},
		{"tombstone without headers", recordbatch.Record{}, event.DeadTombstone},
		{"empty value", value(""), event.DeadEmptyValue},
		{"white space", value(" \r\n\t"), event.DeadEmptyValue},
		{"one byte too large", recordbatch.Record{Value: eventOf(rowbuilder.MaxRecordBytes + 1), Headers: good.Headers}, event.DeadTooLarge},
		{"no headers", headers(nil), event.DeadMissingHeader},
		{"no v", headers(without("v")), event.DeadMissingHeader},
		{"no project", headers(without("project")), event.DeadMissingHeader},
		{"no event-id", headers(without("event-id")), event.DeadMissingHeader},
		{"no received-at", headers(without("received-at")), event.DeadMissingHeader},
		{"another v", headers(with("v", "2")), event.DeadUnsupportedVersion},
		{"v without a value", headers(with("v", "")), event.DeadUnsupportedVersion},
		{"project twice", headers(append(with("", ""), event.Header{Key: "project", Value: []byte("other")})), event.DeadBadHeader},
		{"project of another shape", headers(with("project", "../etc")), event.DeadBadHeader},
		{"project empty", headers(with("project", "")), event.DeadBadHeader},
		{"project too long", headers(with("project", strings.Repeat("a", 65))), event.DeadBadHeader},
		{"event-id no UUID", headers(with("event-id", "1")), event.DeadBadHeader},
		{"event-id nil", headers(with("event-id", uuid.Nil.String())), event.DeadBadHeader},
		{"received-at no number", headers(with("received-at", "yesterday")), event.DeadBadHeader},
		{"received-at negative", headers(with("received-at", "-1")), event.DeadBadHeader},
		{"received-at without end", headers(with("received-at", strings.Repeat("9", 400))), event.DeadBadHeader},
		{"sent-at no number", headers(with("sent-at", "now")), event.DeadBadHeader},
		{"raw bytes", value("\x00\xff\xfe\x80\x01"), event.DeadMalformedJSON},
		{"bad UTF-8", value("{\"message\":\"\xff\"}"), event.DeadMalformedJSON},
		{"cut off", value(`{"message":"a`), event.DeadMalformedJSON},
		{"two values", value(`{"message":"a"} {"message":"b"}`), event.DeadMalformedJSON},
		{"a name twice", value(`{"message":"a","message":"b"}`), event.DeadMalformedJSON},
		{"too deep", value(`{"message":"a","x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`), event.DeadMalformedJSON},
		{"null", value("null"), event.DeadInvalidEvent},
		{"no message", value(`{}`), event.DeadInvalidEvent},
		{"message a number", value(`{"message":1}`), event.DeadInvalidEvent},
		{"two megabytes of nothing", value(`{"message":"` + strings.Repeat(" ", 2_000_000) + `"}`), event.DeadInvalidEvent},
		{"another event's id", value(fmt.Sprintf(`{"message":"a","event_id":%q}`, idV4(999))), event.DeadIDMismatch},
	}
}

// Every bad record becomes a dead letter with its reason, and leaves no trace in the block.
func TestPoison(t *testing.T) {
	p, b := newBuilder(), rows.New()
	for _, c := range poisons() {
		t.Run(c.name, func(t *testing.T) {
			before := b.Rows()
			good := plain(int64(before))
			if err := p.Build(&good, b); err != nil {
				t.Fatalf("the neighbour before: %v", err)
			}
			err := p.Build(&c.record, b)
			if err == nil {
				t.Fatal("became a row")
			}
			if got := deadLetterOf(&c.record, err).Reason; got != c.reason {
				t.Errorf("reason %s, want %s", got, c.reason)
			}
			if len(c.record.Value) > 8 && strings.Contains(err.Error(), string(c.record.Value[:8])) {
				t.Errorf("the error repeats the record: %v", err)
			}
			next := plain(int64(before) + 1)
			if err := p.Build(&next, b); err != nil {
				t.Fatalf("the neighbour after: %v", err)
			}
			if b.Rows() != before+2 {
				t.Errorf("%d rows, want %d", b.Rows(), before+2)
			}
			checkColumns(t, b)
		})
	}
}

// checkColumns checks that no column of a block has lost or doubled a value: ClickHouse would refuse the block for
// ever.
func checkColumns(t *testing.T, b *rows.Block) {
	t.Helper()
	if err := b.Check(); err != nil {
		t.Error(err)
	}
}

// In a partition, bad records become dead letters, their neighbours are inserted, and the offset passes both.
func TestPoisonIsNoStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.cfg.BatchBytes = 64 << 20
		want := map[event.DeadReason]float64{}
		for _, c := range poisons() {
			w.topic.add(1)
			w.topic.put(c.record)
			want[c.reason]++
		}
		w.topic.add(1)
		w.start()
		pass(time.Minute)
		if w.topic.head != w.topic.end {
			t.Errorf("committed %d of %d", w.topic.head, w.topic.end)
		}
		for i, c := range poisons() {
			letter := w.topic.letters[int64(2*i+1)]
			if letter.Reason != c.reason || !bytes.Equal(letter.Value, c.record.Value) || w.table.count(int64(2*i+1)) != 0 {
				t.Errorf("%s: letter %s with %d bytes", c.name, letter.Reason, len(letter.Value))
			}
			if w.table.count(int64(2*i)) != 1 {
				t.Errorf("%s: its neighbour is not in the table", c.name)
			}
		}
		for _, reason := range event.DeadReasons() {
			if got := testutil.ToFloat64(w.metrics.dead.WithLabelValues(string(reason))); got != want[reason] {
				t.Errorf("%v dead letters counted as %s, want %v", got, reason, want[reason])
			}
		}
	})
}

// The largest event that the topic can hold becomes a row, whatever the gateway's limit is.
func TestLargestRecord(t *testing.T) {
	r := plain(0)
	r.Value = eventOf(rowbuilder.MaxRecordBytes)
	if b := blockOf(t, r); !bytes.Equal(b.Payload(0), r.Value) {
		t.Error("the payload is not the value")
	}
}

// Headers of other programs, such as traces, are no fault.
func TestForeignHeaders(t *testing.T) {
	r := plain(0)
	r.Headers = append(r.Headers, event.Header{Key: "b3"}, event.Header{Key: "b3", Value: []byte{0xFF}}, event.Header{})
	blockOf(t, r)
}

// An error that is not the decoder's has a reason from the closed list too.
func TestReasonOfAnyError(t *testing.T) {
	if got := rowbuilder.DeadReason(errors.New("something else")); got != event.DeadInvalidEvent {
		t.Errorf("reason %q", got)
	}
}

// FuzzProcess: any bytes in value and headers make a row or a dead letter with a reason from the list, and a whole
// block.
func FuzzProcess(f *testing.F) {
	for _, c := range poisons() {
		if len(c.record.Value) < 1<<10 {
			f.Add(c.record.Value, "v", []byte("1"))
		}
	}
	f.Add(plain(0).Value, "sent-at", []byte("1795435198000"))
	f.Fuzz(func(t *testing.T, value []byte, key string, header []byte) {
		p, b := newBuilder(), rows.New()
		for _, headers := range [][]event.Header{with(key, string(header)), {{Key: key, Value: header}}} {
			r := recordbatch.Record{Value: value, Headers: headers}
			before := b.Rows()
			err := p.Build(&r, b)
			if (err == nil) != (b.Rows() == before+1) {
				t.Fatalf("%d rows after %d, and the error %v", b.Rows(), before, err)
			}
			checkColumns(t, b)
			if err == nil {
				continue
			}
			var refused *event.RecordError
			if !errors.As(err, &refused) {
				t.Fatalf("not a RecordError: %v", err)
			}
		}
	})
}

// The clock is read only for records whose own times do not settle the time of receipt, and the rows have that time.
func TestRowsAreReceivedWhenTheClocksSay(t *testing.T) {
	looks := 0
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	p, b := newBuilder(), rows.New()
	p.Clock = func() time.Time { looks++; return now }
	for i, received := range []time.Duration{0, -time.Hour, time.Hour, -100 * 24 * time.Hour} {
		r := fromGateway(int64(i), "demo", idV4(uint64(i+1)), now.Add(received), `{"message":"m"}`)
		r.Timestamp, r.LogAppendTime = now.UnixMilli(), true
		if err := p.Build(&r, b); err != nil {
			t.Fatal(err)
		}
	}
	if p.Corrected != 2 || looks != 2 {
		t.Errorf("%d corrected with %d looks at the clock", p.Corrected, looks)
	}
	for i, want := range []time.Time{now, now.Add(-time.Hour), now, now} {
		if got := b.ReceivedAt(i); !got.Equal(want) {
			t.Errorf("row %d: %s, want %s", i, got, want)
		}
	}
}
