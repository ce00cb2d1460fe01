package e2e

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/consumer/erase"
)

// person is a user whose id and address are nobody else's, so that they can be searched for.
type person struct{ id, email string }

func newPerson() person {
	return person{"user-" + uuid.NewString(), "Erase." + uuid.NewString() + "@example.org"}
}

// event is an event of the person, with a timestamp of now.
func (u person) event(id uuid.UUID, message string) string {
	return fmt.Sprintf(`{"event_id":%q,"message":%q,"timestamp":%q,"user":{"id":%q},"tags":{"of":%q}}`,
		id, message, time.Now().UTC().Format(time.RFC3339Nano), u.id, u.id)
}

// recordOf is a record of an event of the person.
func (p *pipeline) recordOf(u person, message string) kafka.Record {
	id := v7()
	return p.eventOf(id, u.event(id, message))
}

// eventByEmail is one without an id.
func (u person) eventByEmail(id uuid.UUID, message string) string {
	return fmt.Sprintf(`{"event_id":%q,"message":%q,"user":{"email":%q}}`, id, message, strings.ToLower(u.email))
}

// v7 makes ids that tell when they were made.
func v7() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// erase runs `sluice erase` on the scenario, and wants an exit code.
func (p *pipeline) erase(wantCode int, flags ...string) (said string) {
	p.t.Helper()
	code, said := runs(p.t, "sluice", append(append([]string{"erase"}, p.kafka()...),
		append(flags, "--clickhouse-dsn", p.dsn)...)...)
	require.Equal(p.t, wantCode, code, said)
	return said
}

// mine and others are the conditions for the events of the person, and for the rest. They do not name the person: a
// server may keep the texts of queries.
const (
	mine   = "startsWith(message, 'mine')"
	others = "startsWith(message, 'other')"
)

// soon has ClickHouse remove replaced parts at once, which takes eight minutes by default.
func (p *pipeline) soon() {
	p.t.Helper()
	for _, setting := range []string{
		"old_parts_lifetime = 1", "cleanup_delay_period = 1", "max_cleanup_delay_period = 1",
		"cleanup_delay_period_random_add = 0", "min_bytes_for_wide_part = 1",
	} {
		require.NoError(p.t, p.db.Exec(p.t.Context(), "ALTER TABLE events_raw MODIFY SETTING "+setting))
	}
}

// TestErase: a user's events are rows, merged and unmerged, dead letters, and on Kafka where nobody has read them. After
// `sluice erase` no question returns them, and neither resends, nor replayed dead letters, nor a rewind brings one back.
// The rows of others are all there, once, and the audit accounts for every record. When all is gone that the receipt
// names, no file of ClickHouse has the user's id or address.
func TestErase(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 2)
	p.settled = true // its own account does not know erasures; the audit's does
	p.soon()
	p.startGateway("127.0.0.1:0")
	c := p.startConsumer()
	u := newPerson()

	var sent []string
	for i := range 20 {
		sent = append(sent, u.event(v7(), fmt.Sprint("mine ", i)), fmt.Sprintf(`{"event_id":%q,"message":"other %d","user":{"id":"x"}}`, v7(), i))
	}
	sent = append(sent, u.eventByEmail(v7(), "mine by address"), u.eventByEmail(uuid.New(), "mine without a time"))
	send := func() {
		t.Helper()
		a := p.post("/api/v1/events/bulk", "application/x-ndjson", strings.Join(sent, "\n"))
		require.Equal(t, 202, a.status)
		require.Equal(t, len(sent), a.Accepted)
	}
	send()
	p.rows(42)
	require.NoError(t, p.db.Exec(t.Context(), "OPTIMIZE TABLE events_raw FINAL"))
	merges := func(most int) {
		require.NoError(t, p.db.Exec(t.Context(), fmt.Sprintf("ALTER TABLE events_raw MODIFY SETTING "+
			"max_bytes_to_merge_at_max_space_in_pool = %d, max_bytes_to_merge_at_min_space_in_pool = %[1]d", most)))
	}
	merges(1) // none
	send()    // resends, which are not merged
	p.eventually("the resends", func() bool { return p.scalar("SELECT count() FROM events_raw") == 84 })

	// Dead letters of the user's between those of others: not an event, and not JSON.
	p.produce(1,
		p.eventOf(v7(), `{"level":"loud","message":"other"}`),
		p.eventOf(v7(), `{"level":"loud","message":"mine","user":{"id":"`+u.id+`"}}`),
		p.eventOf(v7(), `{"message":"mine","user":{"id":"`+u.id+`"`),
		p.eventOf(v7(), `{"message":"other"`),
		p.eventOf(v7(), `{"level":"loud","message":"mine","user":{"email":"`+u.email+`"}}`),
	)
	p.eventually("five dead letters", func() bool { return p.records(p.name+".dead") == 5 })
	letters := p.deadValues()
	p.eventually("no lag", func() bool { return p.tryLag() == 0 })
	require.Zero(t, c.term())
	for i := range 5 { // nobody has read these
		p.produce(i%2, p.recordOf(u, "mine, on Kafka"), p.eventOf(v7(), fmt.Sprintf(`{"message":"other on Kafka %d"}`, i)))
	}
	p.produce(0, p.eventOf(v7(), `{"message":"mine, on Kafka","user":{"id":"`+u.id+`"}}`))

	who := []string{"--project", "e2e", "--user", u.id, "--email", u.email}
	said := p.erase(0, append(who, "--dry-run", "--json")...)
	assert.Contains(t, said, `{"rows":44,"counts":0,"dead_letters":3}`)
	assert.Contains(t, p.erase(1, who...), "--yes", "nobody answers the question")
	assert.EqualValues(t, 84, p.scalar("SELECT count() FROM events_raw"))
	receipt := filepath.Join(t.TempDir(), "receipt.json")
	said = p.erase(0, append(who, "--yes", "--receipt", receipt)...)
	assert.Regexp(t, `rows of events, resends among them +clickhouse \w+\.events_raw +44\n`, said)
	assert.Regexp(t, `dead letters +kafka `+p.name+`\.dead +3\n`, said)
	text, err := os.ReadFile(receipt)
	require.NoError(t, err)
	for _, secret := range []string{u.id, u.email, strings.ToLower(u.email)} {
		assert.NotContains(t, string(text)+said, secret, "the receipt does not say who it was")
	}

	gone := func(when string, dropped int) {
		t.Helper()
		p.eventually("no lag "+when, func() bool { return p.tryLag() == 0 })
		for _, table := range []string{"events_raw", "events"} {
			assert.Zero(t, p.scalar("SELECT count() FROM "+table+" WHERE "+mine), "%s: %s", when, table)
		}
		assert.Zero(t, p.scalar("SELECT count() FROM issues WHERE startsWith(message, 'mine')"), when)
		assert.Zero(t, p.scalar("SELECT count() FROM events_raw WHERE has(mapKeys(tags), 'of')"), when)
		assert.EqualValues(t, 25, p.scalar("SELECT count() FROM events WHERE "+others), when)
		assert.EqualValues(t, 25, p.scalar("SELECT uniqExact(event_id) FROM events_raw WHERE "+others), when)
		report := p.audited(0)
		assert.Zero(t, report.Total.Unaccounted, when)
		assert.EqualValues(t, dropped, report.Total.Erased, when)
		assert.EqualValues(t, 5, report.Total.DeadLetters, when)
		assert.Empty(t, report.Warnings, when)
	}
	assert.Zero(t, p.scalar("SELECT count() FROM events_raw WHERE "+mine))
	c = p.startConsumer()
	gone("after reading Kafka", 44+6)
	assert.Contains(t, p.metricsAt(c.figures.admin), `sluice_consumer_dropped_total{processor="erased"} 6`)
	assert.Contains(t, p.metricsAt(c.figures.admin), "sluice_consumer_erasures 2\n")
	assert.EqualValues(t, 6, p.scalar("SELECT sum(events) FROM outcomes WHERE outcome = 'filtered' AND reason = 'erased'"))

	send() // resends
	gone("after resends", 44+6+22)

	assert.Equal(t, []string{letters[0], letters[3]}, p.deadValues(), "the others' letters, whole")
	code, said := runs(t, "sluice", append(append([]string{"dead", "replay"}, p.kafka()...), "--all", "--kafka-group", p.name)...)
	require.Equal(t, 1, code, said)
	assert.Contains(t, said, "consumed: 2, died again: 2")

	require.Zero(t, c.term())
	code, said = runs(t, "sluice", append(append([]string{"offsets", "rewind"}, p.kafka()...), "--oldest", "--kafka-group", p.name)...)
	require.Zero(t, code, said)
	p.startConsumer()
	p.eventually("no lag", func() bool { return p.tryLag() == 0 })
	for _, table := range []string{"events_raw", "events"} {
		assert.Zero(t, p.scalar("SELECT count() FROM "+table+" WHERE "+mine), "after a rewind: %s", table)
	}
	assert.EqualValues(t, 25, p.scalar("SELECT count() FROM events WHERE "+others))
	assert.Zero(t, p.audited(0).Total.Unaccounted)

	// What the receipt names goes: the replaced parts by themselves, and Kafka's records as by retention. The user's
	// letters that the rewind made again are removed by another erasure.
	assert.Contains(t, p.erase(1, "--check", receipt), "run the erasure again")
	p.erase(0, append(who, "--yes", "--receipt", receipt)...)
	assert.Contains(t, p.erase(1, "--check", receipt), "waiting")
	merges(1 << 30)
	for partition, end := range p.ends(p.name) {
		p.deleteBefore(partition, end)
	}
	p.eventually("the parts removed", func() bool {
		code, said = runs(t, "sluice", append(append([]string{"erase"}, p.kafka()...), "--check", receipt, "--clickhouse-dsn", p.dsn)...)
		return code == 0
	})
	assert.Contains(t, said, "all of it is gone")
	assert.Empty(t, p.filesWith(u.id, u.email, strings.ToLower(u.email)))

	// People come back.
	p.post("/api/v1/events", "application/json", u.event(v7(), "mine, back"))
	p.eventually("the user is back", func() bool { return p.scalar("SELECT count() FROM events WHERE "+mine) == 1 })
	assert.NotEmpty(t, p.filesWith(u.id), "the search finds what is there")
}

// deadValues are the values of the dead letters, in order of their records' offsets.
func (p *pipeline) deadValues() (values []string) {
	p.t.Helper()
	code, said := runs(p.t, "sluice", append(append([]string{"dead", "list"}, p.kafka()...), "--json", "--limit", "0")...)
	require.Zero(p.t, code, said)
	byOffset := map[int64]string{}
	most := int64(0)
	for line := range strings.Lines(said) {
		var l struct {
			Place, From struct{ Partition, Offset int64 }
		}
		if json.Unmarshal([]byte(line), &l) != nil {
			continue
		}
		resp, err := p.client().Fetch(p.t.Context(), &kafka.FetchRequest{
			Topic: p.name + ".dead", Partition: int(l.Place.Partition), Offset: l.Place.Offset, MinBytes: 1, MaxBytes: 1 << 20,
			MaxWait: time.Second,
		})
		require.NoError(p.t, err)
		r, err := resp.Records.ReadRecord()
		require.NoError(p.t, err)
		value, err := kafka.ReadAll(r.Value)
		require.NoError(p.t, err)
		byOffset[l.From.Offset] = string(value)
		most = max(most, l.From.Offset)
	}
	for offset := range most + 1 {
		if value, ok := byOffset[offset]; ok {
			values = append(values, value)
		}
	}
	return values
}

// filesWith lists the files of ClickHouse that have one of some texts: as they are, or in a compressed block. It reads
// all files of the scenario's engine, active parts and others, logs and the texts of mutations.
func (p *pipeline) filesWith(texts ...string) (found []string) {
	p.t.Helper()
	var root string
	require.NoError(p.t, p.db.QueryRow(p.t.Context(), "SELECT path FROM system.disks WHERE name = 'default'").Scan(&root))
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // removed since it was listed
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		if filepath.Ext(path) == ".bin" {
			content = append(content, decompressed(content)...)
		}
		for _, text := range texts {
			if bytes.Contains(content, []byte(text)) {
				found = append(found, path)
				break
			}
		}
		return nil
	})
	require.NoError(p.t, err)
	return found
}

// decompressed returns the content of the compressed blocks that a file of a part consists of: a checksum of 16 bytes,
// the method, the size of the block with these nine bytes, the size of its content, and the block. Blocks of other
// methods are of numbers.
func decompressed(file []byte) (out []byte) {
	const checksum, header = 16, 9
	decoder, _ := zstd.NewReader(nil)
	defer decoder.Close()
	for len(file) > checksum+header {
		file = file[checksum:]
		size, content := binary.LittleEndian.Uint32(file[1:]), binary.LittleEndian.Uint32(file[5:])
		if int(size) > len(file) || size < header || content > 1<<28 {
			return out
		}
		block := file[header:size]
		switch file[0] {
		case 0x02: // none
			out = append(out, block...)
		case 0x82:
			plain := make([]byte, content)
			if n, err := lz4.UncompressBlock(block, plain); err == nil {
				out = append(out, plain[:n]...)
			}
		case 0x90:
			if plain, err := decoder.DecodeAll(block, nil); err == nil {
				out = append(out, plain...)
			}
		}
		file = file[size:]
	}
	return out
}

// TestEraseBetweenAttempts: a consumer records a range, or inserts it, and is killed before it says so. The user is
// erased before the next owner takes the range up. Rows of others are there once, the user's are not.
func TestEraseBetweenAttempts(t *testing.T) {
	t.Parallel()
	for _, point := range points {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			p := newPipelineThatKills(t, 1)
			p.settled = true
			u := newPerson()
			for range 3 { // several ranges
				for i := range 40 {
					p.produce(0, p.recordOf(u, "mine"), p.eventOf(v7(), fmt.Sprint(`{"message":"other `, i, `"}`)),
						p.eventOf(v7(), `{"message":`))
				}
			}
			ranges := []string{"--batch-rows", "90", "--flush-age", "50ms", "--inserts-per-second", "1000"}
			nth := ":2"
			if point == "before_commit" {
				nth = ":1" // all ranges are in by then
			}
			c := p.consumerThat(point+nth, ranges...)
			p.within(2*time.Minute, "the crash", func() bool {
				select {
				case <-c.done:
					return true
				default:
					return false
				}
			})
			var said string
			p.eventually("the erasure", func() bool { // the engine may have to start again
				var code int
				code, said = runs(t, "sluice", append(append([]string{"erase"}, p.kafka()...), "--project", "e2e", "--user", u.id,
					"--yes", "--clickhouse-dsn", p.dsn)...)
				return code == 0
			})
			p.startConsumer(ranges...)
			p.within(2*time.Minute, "no lag", func() bool { return p.tryLag() == 0 })
			assert.Zero(t, p.scalar("SELECT count() FROM events_raw WHERE "+mine), said)
			assert.EqualValues(t, 120, p.scalar("SELECT count() FROM events_raw WHERE "+others))
			assert.EqualValues(t, 120, p.scalar("SELECT uniqExact(_offset) FROM events_raw WHERE "+others))
			report := p.audited(0)
			assert.Zero(t, report.Total.Unaccounted)
			assert.EqualValues(t, 120, report.Total.Erased)
			assert.EqualValues(t, 120, report.Total.DeadLetters)
		})
	}
}

// TestEraseProject: all events and counts of a project go, those of other projects stay, and new events are kept.
func TestEraseProject(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 1)
	p.settled = true
	p.startGateway("127.0.0.1:0")
	p.startConsumer("--sample", "0.5")
	of := func(project, value string) kafka.Record {
		r := p.eventOf(sampled(true), value)
		r.Headers[1].Value = []byte(project)
		return r
	}
	dropped := of("e2e", `{"message":"mine, dropped"}`)
	dropped.Headers[3].Value = []byte(sampled(false).String())
	p.produce(0, of("e2e", `{"message":"mine"}`), dropped, of("e2e", `{"message":`), of("other", `{"message":"other"}`),
		of("other", `{"message":`))
	require.Equal(t, 400, p.post("/api/v1/events", "application/json", `{"level":"info"}`).status)
	p.eventually("the counts", func() bool { return p.scalar("SELECT count() FROM outcomes WHERE outcome = 'rejected'") == 1 })
	p.rows(2)
	assert.Contains(t, p.erase(1, "--project", "e2e", "--yes"), "--confirm e2e")
	assert.Contains(t, p.erase(1, "--project", "e2e", "--confirm", "other"), "nothing was erased")
	said := p.erase(0, "--project", "e2e", "--confirm", "e2e", "--json")
	var r erase.Receipt
	_, receipt, _ := strings.Cut(said, "\n{\n") // behind the progress
	require.NoError(t, json.Unmarshal([]byte("{"+receipt), &r), said)
	assert.Equal(t, "project", r.By)
	p.eventually("no lag", func() bool { return p.tryLag() == 0 })
	assert.Zero(t, p.scalar("SELECT count() FROM events_raw WHERE project_id = 'e2e'"))
	assert.Zero(t, p.scalar("SELECT count() FROM outcomes WHERE project_id = 'e2e'"))
	assert.EqualValues(t, 1, p.scalar("SELECT count() FROM events"))
	assert.EqualValues(t, 1, p.scalar("SELECT sum(events) FROM outcomes WHERE project_id = 'other' AND outcome = 'dead_lettered'"))
	report := p.audited(0)
	assert.Zero(t, report.Total.Unaccounted)
	assert.EqualValues(t, 3, report.Total.Erased)
	p.produce(0, of("e2e", `{"message":"new","timestamp":"`+time.Now().UTC().Format(time.RFC3339Nano)+`"}`))
	p.rows(2)
}

func TestRunbookErase(t *testing.T) {
	t.Parallel()
	o := newOperator(t, 1)
	o.settled = true
	o.soon()
	u := newPerson()
	o.set["USER_ID"], o.set["USER_EMAIL"] = u.id, u.email
	o.some(3)
	require.Equal(t, 202, o.post("/api/v1/events", "application/json", u.event(v7(), "mine")).status)
	o.rows(4)
	assert.Contains(t, o.run("erase"), "1\trows of events")
	o.rows(3)
	for partition, end := range o.ends(o.name) {
		o.deleteBefore(partition, end)
	}
	receipt := filepath.Join(o.dir(), "receipt.json")
	o.eventually("the parts removed", func() bool {
		code, _ := runs(t, "sluice", append(append([]string{"erase"}, o.kafka()...), "--check", receipt, "--clickhouse-dsn", o.dsn)...)
		return code == 0
	})
	assert.Contains(t, o.run("erase-check"), "all of it is gone")
}
