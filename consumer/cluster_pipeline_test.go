package consumer

import (
	"fmt"
	"log/slog"
	"strconv"
	"testing"

	"sluice/consumer/clickhouse"
	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/erased"
)

// A partition at work over two shards, both of which fail again and again: every record is a row, once.
func TestClusterPartition(t *testing.T) {
	servers := []*clickhousetest.Database{clickhousetest.NewShard(t), clickhousetest.NewShard(t)}
	ways := []*clickhousetest.Proxy{clickhousetest.NewProxy(t), clickhousetest.NewProxy(t)}
	var shards [][]clickhouse.Config
	for n, d := range servers {
		shards = append(shards, []clickhouse.Config{{DSN: "http://" + ways[n].Addr + "/" + d.Name}})
	}
	c, err := clickhouse.NewSharded(clickhouse.Config{Cluster: "two", Quorum: "auto", DSN: servers[0].Native()}, slog.New(slog.DiscardHandler), shards)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	counted := func(question string) (sum int) {
		for _, d := range servers {
			n, err := strconv.Atoi(d.Ask(question))
			if err != nil {
				t.Fatal(err)
			}
			sum += n
		}
		return sum
	}
	topic, memory := newMemory(t)
	const n = 95
	topic.add(n)
	for offset := range int64(n) {
		memory.rows[offset] = 1 // the rows go elsewhere in this test
	}
	ways[0].Plan(clickhousetest.Lost, clickhousetest.NoFault, clickhousetest.AnswerLost, clickhousetest.ReadOnly, clickhousetest.NoFault, clickhousetest.AnswerLost)
	ways[1].Plan(clickhousetest.NoFault, clickhousetest.AnswerLost, clickhousetest.Lost, clickhousetest.NoFault, clickhousetest.ReadOnly, clickhousetest.AnswerLost)
	w := newWorker(t, func(w *worker) {
		w.topic, w.kafka, w.offsets, w.deadLetters = topic, topic, topic, topic
		around, _ := erased.Around(c, w.log)
		w.partition.table, w.table, w.tokenDurable = around, memory, true
	})
	w.startUnbubbled()
	waitUntil(t, "the commit", func() bool { return topic.at() == n })
	w.stop()
	question := "SELECT count() FROM events_local"
	if got, once := counted(question), counted("SELECT uniqExact(_offset) FROM events_local"); got != n || once != n {
		t.Errorf("%d rows of %d offsets, want %d", got, once, n)
	}
	for shard, d := range servers {
		d.Asks(fmt.Sprintf("SELECT countIf(%s %% 2 != %d) FROM events_local", clickhouse.ShardKey, shard), "0")
	}

	// The next owner compares with the table and adds nothing.
	sent := len(ways[0].Tokens()) + len(ways[1].Tokens())
	topic.add(1)
	memory.rows[n] = 1
	next := newWorker(t, func(w *worker) {
		w.topic, w.kafka, w.offsets, w.deadLetters = topic, topic, topic, topic
		around, _ := erased.Around(c, w.log)
		w.partition.table, w.table, w.tokenDurable = around, memory, true
	})
	next.startUnbubbled()
	waitUntil(t, "the next commit", func() bool { return topic.at() == n+1 })
	next.stop()
	if got := len(ways[0].Tokens()) + len(ways[1].Tokens()); got != sent+1 {
		t.Errorf("%d inserts for one more record", got-sent)
	}
	if got := counted(question); got != n+1 {
		t.Errorf("%d rows, want %d", got, n+1)
	}
}
