package e2e

import (
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	outcomes "sluice/internal/outcome"
)

// figures are a consumer's own, as they were last read.
type figures struct {
	topic string
	admin string
	drops bool // it has a processor that drops

	mu            sync.Mutex
	gaps, dropped int64
	lag           int64 // of its partitions, -1 while it has none
	final         bool  // they are of its end, or of the scenario's
}

// consumers are all that were started.
var consumers struct {
	mu  sync.Mutex
	all []*figures
}

// watched gives a consumer an admin port that is known, and remembers it.
func (p *program) watched(args []string) []string {
	topic := slices.Index(args, "--kafka-topic")
	if p.name != "consumer" || topic < 0 {
		return args
	}
	args = slices.Clone(args)
	f := &figures{topic: args[topic+1], drops: slices.Contains(args, "--sample")}
	for i, a := range args {
		if a == "--admin-addr" && args[i+1] == "127.0.0.1:0" {
			f.admin = free(p.t)
			args[i+1] = f.admin
		}
	}
	p.figures = f
	consumers.mu.Lock()
	defer consumers.mu.Unlock()
	consumers.all = append(consumers.all, f)
	return args
}

var figure = regexp.MustCompile(`(?m)^sluice_consumer_(offset_gaps_total|dropped_total|lag_\w+)(?:\{[^}]*\})? (\S+)$`)

// read takes the figures as they are now. It says whether there were any.
func (f *figures) read() bool {
	if f == nil || f.admin == "" {
		return false
	}
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get("http://" + f.admin + "/metrics") // loopback, with a timeout
	if err != nil {
		return false
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gaps, f.dropped, f.lag, f.final = 0, 0, -1, true
	for _, m := range figure.FindAllStringSubmatch(string(text), -1) {
		n, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return false
		}
		switch m[1] {
		case "dropped_total":
			f.dropped += int64(n)
		case "offset_gaps_total":
			f.gaps += int64(n)
		case "lag_records":
			f.lag = max(0, f.lag) + int64(n)
		}
	}
	return true
}

// follow reads the figures until the program has ended: draining can add to them.
func (f *figures) follow(done <-chan struct{}) {
	if !f.read() {
		return
	}
	go func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				f.read()
			}
		}
	}()
}

// counted is what a pipeline's consumers say together.
type counted struct {
	consumers     int
	gaps, dropped int64
	complete      bool // the figures of all of them are known
	drops         bool
}

func (p *pipeline) counted() counted {
	out := counted{complete: true}
	consumers.mu.Lock()
	defer consumers.mu.Unlock()
	for _, f := range consumers.all {
		if f.topic != p.name {
			continue
		}
		f.read() // if it still runs
		f.mu.Lock()
		out.consumers++
		out.gaps += f.gaps
		out.dropped += f.dropped
		out.complete = out.complete && f.final
		out.drops = out.drops || f.drops
		f.mu.Unlock()
	}
	out.complete = out.complete && out.consumers > 0
	return out
}

// accounts reads everything from Kafka and ClickHouse.
func (p *pipeline) accounts() ([]account, map[event]bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	reader, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(lab.brokers, ",")...))
	if err != nil {
		p.t.Fatal(err)
	}
	defer reader.Close()
	heads := p.heads(ctx)
	var accounts []account
	counts := map[event][]byte{}
	for id := range p.ends(p.name) {
		a := account{partition: id, head: heads[id], records: map[int64]event{}, rows: map[int64][]event{}, dead: map[int64]bool{}}
		a.start, a.end = p.readLog(ctx, reader, p.name, id, func(r *kgo.Record) {
			e := event{headerOf(r, "project"), strings.ReplaceAll(headerOf(r, "event-id"), "-", "")}
			a.records[r.Offset] = e
			if headerOf(r, "format") == outcomes.Format {
				counts[e] = r.Value
			}
		})
		accounts = append(accounts, a)
	}
	slices.SortFunc(accounts, func(a, b account) int { return a.partition - b.partition })
	stored := p.readRows(ctx, accounts)
	for e, value := range counts {
		stored[e] = p.counts(ctx, value)
	}
	for id := range p.ends(p.name + ".dead") {
		p.readLog(ctx, reader, p.name+".dead", id, func(r *kgo.Record) {
			partition, err1 := strconv.Atoi(headerOf(r, "dead-partition"))
			offset, err2 := strconv.ParseInt(headerOf(r, "dead-offset"), 10, 64)
			if err1 == nil && err2 == nil && partition < len(accounts) && headerOf(r, "dead-topic") == p.name {
				accounts[partition].dead[offset] = true
			}
		})
	}
	return accounts, stored
}

// counts says whether outcomes_raw has everything that a gateway's record counts, or more of it.
func (p *pipeline) counts(ctx context.Context, value []byte) bool {
	p.t.Helper()
	rows, err := outcomes.Decode(value)
	if err != nil {
		return false
	}
	for _, r := range rows {
		var n int64
		p.eventually("a count", func() bool {
			return p.db.QueryRow(ctx, "SELECT toInt64(max(events)) FROM outcomes_raw WHERE project_id = ? AND minute = toDateTime(?) AND "+
				"protocol = ? AND outcome = ? AND reason = ? AND category = ? AND source = ?",
				r.Project, r.Minute, r.Protocol, r.Outcome, r.Reason, r.Category, r.Source.String()).Scan(&n) == nil
		})
		if n < r.Events {
			return false
		}
	}
	return true
}

func headerOf(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// heads are the group's committed offsets.
func (p *pipeline) heads(ctx context.Context) map[int]int64 {
	p.t.Helper()
	var ids []int
	for id := range p.ends(p.name) {
		ids = append(ids, id)
	}
	out := map[int]int64{}
	p.eventually("the committed offsets", func() bool {
		resp, err := p.client().OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: p.name, Topics: map[string][]int{p.name: ids}})
		if err != nil || resp.Error != nil {
			return false
		}
		for _, part := range resp.Topics[p.name] {
			out[part.Partition] = max(0, part.CommittedOffset)
		}
		return true
	})
	return out
}

// readLog reads a partition from its first record to its last one, as the broker has them, without those of aborted transactions.
func (p *pipeline) readLog(ctx context.Context, reader *kgo.Client, topic string, partition int, each func(*kgo.Record)) (start, end int64) {
	p.t.Helper()
	start = p.oldest(ctx, topic, partition)
	for offset := start; ; {
		part, err := p.fetchOnce(ctx, reader, topic, partition, offset)
		if err != nil {
			p.t.Fatalf("read partition %d of %s at %d: %v", partition, topic, offset, err)
		}
		end = min(part.HighWatermark, part.LastStableOffset)
		got, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
			Offset: offset, IsolationLevel: kgo.ReadCommitted(), Topic: topic, Partition: int32(partition),
		}, part, kgo.DefaultDecompressor(), nil)
		for _, r := range got.Records {
			each(r)
		}
		if offset >= end || next <= offset {
			return start, end
		}
		offset = next
	}
}

func (p *pipeline) oldest(ctx context.Context, topic string, partition int) (oldest int64) {
	p.t.Helper()
	p.eventually("the oldest offset", func() bool {
		resp, err := p.client().ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: {kafka.FirstOffsetOf(partition)}}})
		if err != nil || len(resp.Topics[topic]) == 0 || resp.Topics[topic][0].Error != nil {
			return false
		}
		oldest = resp.Topics[topic][0].FirstOffset
		return true
	})
	return oldest
}

var errNoPartition = errors.New("an answer without the partition")

func (p *pipeline) fetchOnce(ctx context.Context, reader *kgo.Client, topic string, partition int, offset int64) (*kmsg.FetchResponseTopicPartition, error) {
	meta := kmsg.NewPtrMetadataRequest()
	about := kmsg.NewMetadataRequestTopic()
	about.Topic = &topic
	meta.Topics = append(meta.Topics, about)
	known, err := meta.RequestWith(ctx, reader)
	if err != nil {
		return nil, err
	}
	req := kmsg.NewPtrFetchRequest()
	// No waiting for more: what is below the end is there, and an empty answer at the end says so at once.
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.IsolationLevel = 0, 0, 16<<20, 1
	req.SessionID, req.SessionEpoch = 0, -1
	one := kmsg.NewFetchRequestTopic()
	one.Topic, one.TopicID = topic, known.Topics[0].TopicID
	part := kmsg.NewFetchRequestTopicPartition()
	part.Partition, part.FetchOffset, part.PartitionMaxBytes = int32(partition), offset, 16<<20
	one.Partitions = append(one.Partitions, part)
	req.Topics = append(req.Topics, one)
	resp, err := req.RequestWith(ctx, reader.SeedBrokers()[0])
	if err != nil {
		return nil, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return nil, errNoPartition
	}
	got := &resp.Topics[0].Partitions[0]
	if got.ErrorCode != 0 {
		return nil, kafka.Error(got.ErrorCode)
	}
	return got, nil
}

// readRows puts the rows of the topic with their partitions, and returns all events.
func (p *pipeline) readRows(ctx context.Context, accounts []account) map[event]bool {
	p.t.Helper()
	var stored map[event]bool
	p.eventually("the rows", func() bool {
		stored = map[event]bool{}
		for i := range accounts {
			clear(accounts[i].rows)
		}
		rows, err := p.db.Query(ctx, "SELECT toInt32(_partition), toInt64(_offset), toString(project_id), replaceAll(toString(event_id), '-', '') FROM events_raw WHERE _topic = '"+p.name+"'")
		if err != nil {
			return false
		}
		defer rows.Close() //nolint:errcheck // Err says it
		for rows.Next() {
			var partition int32
			var offset int64
			var e event
			if rows.Scan(&partition, &offset, &e.project, &e.id) != nil {
				return false
			}
			stored[e] = true
			if int(partition) < len(accounts) {
				a := &accounts[partition]
				a.rows[offset] = append(a.rows[offset], e)
			}
		}
		return rows.Err() == nil
	})
	return stored
}
