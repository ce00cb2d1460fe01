package clickhouse

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows"
	"sluice/consumer/rows/rowstest"

	"github.com/ClickHouse/ch-go"
)

// twoShards is a cluster of two shards with one replica each, reached through proxies that can fail.
func twoShards(t *testing.T) (c *Table, servers []*clickhousetest.Database, ways []*clickhousetest.Proxy) {
	t.Helper()
	servers, ways = []*clickhousetest.Database{clickhousetest.NewShard(t), clickhousetest.NewShard(t)}, []*clickhousetest.Proxy{clickhousetest.NewProxy(t), clickhousetest.NewProxy(t)}
	c = clusterOf(t, "auto", clusterShape{nodes: [][]node{{nodeOf(viaProxy(servers[0], ways[0]))}, {nodeOf(viaProxy(servers[1], ways[1]))}}})
	return c, servers, ways
}

// Blocks are in when each shard has their rows, as one block under a token of its own. The same rows sent again change
// nothing.
func TestClusterInsert(t *testing.T) {
	c, servers, ways := twoShards(t)
	const n = 1000
	b := rowstest.Many(t, n)
	var halves [2][]int32
	for row := range int32(n) {
		halves[row*2/n] = append(halves[row*2/n], row)
	}
	for _, blocks := range [][]*rows.Block{{b.Pick(halves[0]), b.Pick(halves[1])}, {b}, {b}} {
		if err := c.Insert(t.Context(), "range", blocks...); err != nil {
			t.Fatal(err)
		}
	}
	if got := addedUp(t, servers, "SELECT count() FROM events_local"); got != n {
		t.Errorf("%d rows, want %d", got, n)
	}
	for shard, d := range servers {
		d.Asks(fmt.Sprintf("SELECT countIf(%s %% 2 != %d) FROM events_local", ShardKey, shard), "0")
		d.Asks("SELECT count() > 400, uniqExact(_part) FROM events_local", "1\t1")
		want := shardingOf(c).token("range", shard)
		if got := ways[shard].Tokens(); !slices.Equal(got, []string{want, want, want}) {
			t.Errorf("shard %d was sent %v, want three times %s", shard+1, got, want)
		}
	}
	if len(c.inserted) != 0 {
		t.Errorf("remembered for nothing: %v", c.inserted)
	}
}

// A shard that has its rows is not sent them again while another shard fails: not when the other was not reached, nor
// when it refused for a while, nor when its answer was lost. In the last case the other shard's token drops the rows
// that it has.
func TestClusterRetriesOneShard(t *testing.T) {
	for name, m := range map[string]clickhousetest.Fault{"lost": clickhousetest.Lost, "answer lost": clickhousetest.AnswerLost, "read-only": clickhousetest.ReadOnly} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, servers, ways := twoShards(t)
			b := rowstest.Many(t, 100)
			ways[1].Plan(m, m)
			for try := range 3 {
				err := c.Insert(t.Context(), "range", b)
				if (err == nil) != (try == 2) {
					t.Fatalf("try %d: %v", try, err)
				}
				if err != nil && IsUncertain(err) != (m != clickhousetest.ReadOnly) {
					t.Errorf("%v: unknown %v", err, IsUncertain(err))
				}
			}
			if got := []int{len(ways[0].Tokens()), len(ways[1].Tokens())}; !slices.Equal(got, []int{1, 3}) {
				t.Errorf("sent %v times, want 1 and 3", got)
			}
			if got := addedUp(t, servers, "SELECT count() FROM events_local"); got != 100 {
				t.Errorf("%d rows", got)
			}
			if len(c.inserted) != 0 {
				t.Errorf("remembered for nothing: %v", c.inserted)
			}
		})
	}
}

// The next owner of a range does not know what the last owner sent. It sends everything again, and each shard drops the
// rows that it has.
func TestClusterNextOwner(t *testing.T) {
	c, servers, ways := twoShards(t)
	b := rowstest.Many(t, 100)
	ways[0].Plan(clickhousetest.Lost)
	if err := c.Insert(t.Context(), "range", b); err == nil {
		t.Fatal("no error")
	}
	next := clusterOf(t, "auto", *c.topology.known)
	missing, err := next.Missing(t.Context(), "events", 0, b)
	if err != nil || !slices.Equal(missing, shardingOf(c).split(b)[0]) {
		t.Errorf("missing %v, error %v; want all of shard 1", missing, err)
	}
	if err := next.Insert(t.Context(), "range", b); err != nil {
		t.Fatal(err)
	}
	if got := addedUp(t, servers, "SELECT count() FROM events_local"); got != 100 {
		t.Errorf("%d rows", got)
	}
}

// A block whose events all belong to one shard is sent to that shard only.
func TestClusterOneShardsBlock(t *testing.T) {
	c, servers, ways := twoShards(t)
	if _, err := shardsOf(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	b := rowstest.Many(t, 100)
	b = b.Pick(shardingOf(c).split(b)[1])
	if err := c.Insert(t.Context(), "range", b); err != nil {
		t.Fatal(err)
	}
	servers[1].Asks("SELECT count() FROM events_local", fmt.Sprint(b.Rows()))
	if n := len(ways[0].Tokens()); n != 0 {
		t.Errorf("%d inserts for a shard without rows", n)
	}
}

// All shards are asked which rows are missing, about all rows: a row is in wherever it is, as after a change of the
// weights. While a shard does not answer, no row is missing and none is in.
func TestClusterDoubt(t *testing.T) {
	c, servers, ways := twoShards(t)
	b := rowstest.Many(t, 20)
	ask := func() ([]int32, error) { return c.Missing(t.Context(), "events", 0, b) }
	if missing, err := ask(); err != nil || len(missing) != 20 {
		t.Errorf("missing %v of an empty table, error %v", missing, err)
	}
	if err := c.Insert(t.Context(), "t", b.Pick([]int32{0, 1, 2, 3, 4})); err != nil {
		t.Fatal(err)
	}
	if err := insertLocally(t, servers[0], b.Pick([]int32{5, 6, 7, 8, 9})); err != nil { // some of them are the other shard's
		t.Fatal(err)
	}
	if missing, err := ask(); err != nil || !slices.Equal(missing, []int32{10, 11, 12, 13, 14, 15, 16, 17, 18, 19}) {
		t.Errorf("missing %v, error %v", missing, err)
	}
	if highest, err := c.Highest(t.Context(), "events", 0, 0); highest != 9 || err != nil {
		t.Errorf("highest %d, error %v", highest, err)
	}
	if err := insertLocally(t, servers[1], b.Pick([]int32{15})); err != nil {
		t.Fatal(err)
	}
	if highest, err := c.Highest(t.Context(), "events", 0, 0); highest != 15 || err != nil {
		t.Errorf("highest %d, error %v", highest, err)
	}
	ways[1].Stay(clickhousetest.Gone)
	if missing, err := ask(); err == nil {
		t.Errorf("missing %v although a shard is away", missing)
	}
	if highest, err := c.Highest(t.Context(), "events", 0, 0); err == nil {
		t.Errorf("highest %d although a shard is away", highest)
	}
}

func insertLocally(t *testing.T, d *clickhousetest.Database, b *rows.Block) error {
	t.Helper()
	return local(t, reach(d.Native())).Insert(t.Context(), "", b)
}

// replicated is one shard whose replicas have different rows, as they do while one lags.
func replicated(t *testing.T, quorum string, n int) (c *Table, servers []*clickhousetest.Database, ways []*clickhousetest.Proxy) {
	t.Helper()
	var nodes []node
	for range n {
		servers, ways = append(servers, clickhousetest.NewShard(t)), append(ways, clickhousetest.NewProxy(t))
		nodes = append(nodes, nodeOf(viaProxy(servers[len(servers)-1], ways[len(ways)-1])))
	}
	return clusterOf(t, quorum, clusterShape{nodes: [][]node{nodes}}), servers, ways
}

// A row is in when a quorum of the replicas has it. A row that fewer replicas have is asked for again: it will be
// copied or removed.
func TestClusterCountsReplicas(t *testing.T) {
	b := rowstest.Many(t, 3)
	for _, tc := range []struct {
		quorum   string
		replicas int
		has      int // how many have row 1
		away     int
		want     string
	}{
		{"auto", 2, 0, 0, "missing"}, {"auto", 2, 1, 0, "ask again"}, {"auto", 2, 2, 0, "in"},
		{"auto", 2, 2, 1, "no answer"}, {"auto", 2, 0, 1, "no answer"},
		{"auto", 3, 1, 0, "ask again"}, {"auto", 3, 2, 0, "in"}, {"auto", 3, 3, 1, "in"}, {"auto", 3, 2, 1, "ask again"}, {"auto", 3, 0, 1, "missing"}, {"auto", 3, 3, 2, "no answer"},
		{"1", 2, 0, 0, "missing"}, {"1", 2, 1, 0, "in"}, {"1", 2, 2, 1, "in"}, {"1", 2, 0, 1, "missing"}, {"1", 2, 2, 2, "no answer"},
		{"3", 3, 2, 0, "ask again"}, {"3", 3, 3, 0, "in"}, {"3", 3, 3, 1, "no answer"},
	} {
		t.Run(fmt.Sprintf("%s of %d, %d have it, %d away", tc.quorum, tc.replicas, tc.has, tc.away), func(t *testing.T) {
			t.Parallel()
			c, servers, ways := replicated(t, tc.quorum, tc.replicas)
			for _, d := range servers[:tc.has] {
				if err := insertLocally(t, d, b.Pick([]int32{1})); err != nil {
					t.Fatal(err)
				}
			}
			for _, w := range ways[:tc.away] {
				w.Stay(clickhousetest.Gone)
			}
			missing, err := c.Missing(t.Context(), "events", 0, b)
			got := "in"
			switch {
			case errors.Is(err, errBelowQuorum):
				got = "ask again"
			case err != nil:
				got = "no answer"
			case slices.Contains(missing, 1):
				got = "missing"
			}
			if got != tc.want || err == nil && (!slices.Contains(missing, 0) || !slices.Contains(missing, 2)) {
				t.Errorf("%s, missing %v, error %v; want %s", got, missing, err, tc.want)
			}
			if highest, err := c.Highest(t.Context(), "events", 0, 0); (err != nil) != (tc.want == "no answer") || err == nil && (highest == 1) != (tc.has > tc.away) {
				t.Errorf("highest %d, error %v", highest, err)
			}
		})
	}
}

// When a replica is away or cannot take an insert, another replica gets the insert, under the same token.
func TestClusterOtherReplica(t *testing.T) {
	for name, m := range map[string]clickhousetest.Fault{"gone": clickhousetest.Gone, "lost": clickhousetest.Lost, "read-only": clickhousetest.ReadOnly} {
		c, _, ways := replicated(t, "1", 2)
		if _, err := shardsOf(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		c.topology.layout.shards[0].next.Store(0)
		ways[0].Stay(m)
		tries := 1
		for ; c.Insert(t.Context(), "range", rowstest.Many(t, 3)) != nil && tries < 5; tries++ {
			continue
		}
		if want := map[clickhousetest.Fault]int{clickhousetest.Gone: 1, clickhousetest.Lost: 2, clickhousetest.ReadOnly: 2}[m]; tries != want {
			t.Errorf("%s: in after %d tries, want %d", name, tries, want)
		}
		if got := ways[1].Tokens(); !slices.Equal(got, []string{"range"}) {
			t.Errorf("%s: the other replica was sent %v", name, got)
		}
		if err := c.Insert(t.Context(), "next", rowstest.Many(t, 4)); err != nil || len(ways[1].Tokens()) != 2 {
			t.Errorf("%s: the next block does not begin with the replica that works: %v", name, err)
		}
	}
}

// An insert waits for the quorum of its shard, for less time than an attempt takes. The server knows all the settings,
// over both protocols.
func TestClusterQuorumIsSent(t *testing.T) {
	for quorum, want := range map[string]string{"auto": "2", "3": "3", "1": ""} {
		c, servers, ways := replicated(t, quorum, 3)
		if err := c.Insert(t.Context(), "range", rowstest.Many(t, 3)); err != nil {
			t.Fatal(err)
		}
		for _, w := range ways {
			if w.Last() != nil && (w.Last().Get("insert_quorum") != want || w.Last().Get("insert_quorum_timeout") != map[bool]string{true: "60000"}[want != ""]) {
				t.Errorf("%s: sent %v", quorum, w.Last())
			}
		}
		native := clusterOf(t, quorum, clusterShape{replicas: []int{3}, nodes: [][]node{{nodeOf(reach(servers[0].Native()))}}})
		if err := native.Insert(t.Context(), "another", rowstest.Many(t, 4)); err != nil {
			t.Error(err)
		}
	}
}

// A DSN that names fewer servers than the quorum is logged: nobody knows what the other replicas have.
func TestClusterNamesTooFew(t *testing.T) {
	for n, said := range map[int]bool{1: true, 2: false, 3: false} {
		log := &logText{}
		nodes := []node{newNode(Config{}, "a:1"), newNode(Config{}, "b:1"), newNode(Config{}, "c:1")}
		c := clusterOf(t, "auto", clusterShape{replicas: []int{3}, nodes: [][]node{nodes[:n]}})
		c.topology.log = slog.New(slog.NewTextHandler(log, nil))
		if _, err := shardsOf(t.Context(), c); err != nil || strings.Contains(log.String(), "level=WARN") != said {
			t.Errorf("%d named: error %v, said %s", n, err, log)
		}
	}
}

// A lost answer goes before every other error, and a refused row after every other.
func TestClusterWorst(t *testing.T) {
	unknown, later, data := errors.New("reset"), &ch.Exception{Code: 242}, &ch.Exception{Code: 53}
	for _, tc := range []struct {
		errs []error
		want error
	}{
		{[]error{nil, data}, data},
		{[]error{data, later}, later},
		{[]error{later, data, unknown, later}, unknown},
		{[]error{data, ErrNotSent}, ErrNotSent},
		{[]error{ErrNotSent, unknown}, unknown},
	} {
		if got := worst(tc.errs); !errors.Is(got, tc.want) || IsUncertain(got) != (tc.want == unknown) || isData(got) != (tc.want == error(data)) {
			t.Errorf("worst of %v is %v", tc.errs, got)
		}
	}
	if err := worst([]error{nil, nil}); err != nil {
		t.Error(err)
	}
}

// The number of remembered tokens has a bound.
func TestClusterForgets(t *testing.T) {
	c := clusterOf(t, "1", clusterShape{})
	for n := range maxPartialTokens + 1 {
		c.remember(fmt.Sprint(n))
		if want := min(n+1, maxPartialTokens); n < maxPartialTokens && len(c.inserted) != want {
			t.Fatalf("%d are remembered after %d", len(c.inserted), n+1)
		}
	}
	if len(c.inserted) != 1 || !c.isInserted(fmt.Sprint(maxPartialTokens)) {
		t.Errorf("%d are remembered", len(c.inserted))
	}
	c.remember("")
	if c.isInserted("") {
		t.Error("an insert without a token is remembered")
	}
}

// A consumer that does not know of the cluster does not insert into the Distributed table, which would answer before
// the rows are in.
func TestClusterUnnamed(t *testing.T) {
	clickhousetest.OverBoth(t, func(t *testing.T, d *clickhousetest.Database, dsn string) {
		d.AskServer("CREATE DATABASE " + d.Name)
		for _, statement := range clickhousetest.ClusterTables(d.Name) {
			d.Ask(statement)
		}
		err := sendTo(t, reach(dsn), rowstest.Many(t, 1))
		if !isSetup(err) || IsUncertain(err) || !strings.Contains(err.Error(), "--clickhouse-cluster") {
			t.Errorf("error %v", err)
		}
		d.Asks("SELECT count() FROM events_local", "0")
	})
}

// An insert sends the settings of a quorum only if there is one to wait for.
func TestClusterSettings(t *testing.T) {
	for quorum, want := range map[string]string{"": "", "1": "", "2": "2", "auto": "auto"} {
		s := Server{knows: map[string]bool{"insert_quorum": true, "insert_quorum_parallel": true}}
		got := s.settings("", clusterSettings(quorum))
		if got["insert_quorum"] != want || got["insert_quorum_timeout"] != "" || len(got) != 0 != (want != "") {
			t.Errorf("%q: %v", quorum, got)
		}
	}
}
