package consumer

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"testing"
)

// testClusters are the clusters that the tests' engine believes to be part of. Its servers are the engine itself, and what they would hold lies
// in databases of it.
func testClusters(port string) string {
	server := func(database string) string {
		return "<replica><default_database>" + database + "</default_database><host>127.0.0.1</host><port>" + port + "</port></replica>"
	}
	return `<remote_servers>
  <two><shard><weight>1</weight>` + server("two_a") + `</shard><shard><weight>2</weight>` + server("two_b") + `</shard></two>
  <three><shard>` + server("") + `</shard><shard><weight>5</weight>` + server("") + server("") + `</shard></three>
  <single><shard>` + server("") + server("") + `</shard></single>
</remote_servers>
<macros><shard>1</shard><replica>r1</replica></macros>`
}

var replicatedEngine = regexp.MustCompile(`Replicated(\w*)MergeTree\(\\?'[^']*', \\?'[^']*'(, )?`)

// unreplicated makes of a cluster's statement one that a server takes that has neither Keeper nor peers.
func unreplicated(statement string) string {
	statement = regexp.MustCompile(` ON CLUSTER '[^']*'`).ReplaceAllString(statement, "")
	statement = regexp.MustCompile(`cluster(?:AllReplicas)?\('two', ([^)]*)\)`).ReplaceAllString(statement, "$1")
	statement = regexp.MustCompile(`\breplicated_deduplication_window = `).ReplaceAllString(statement, "non_replicated_deduplication_window = ")
	return replicatedEngine.ReplaceAllString(statement, "${1}MergeTree(")
}

// clusterSchema are the statements of the tables and views on a cluster's server, for the engine.
func clusterSchema(t *testing.T, f flavour) []string {
	t.Helper()
	f.ttl = ttlOf(defaultRetention)
	all, err := statements(f)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range all {
		out = append(out, unreplicated(s.text))
	}
	return out
}

// newServer is one server of a cluster: a database with events_local.
func newServer(t *testing.T) *database {
	t.Helper()
	d := newDatabase(t)
	d.askServer("CREATE DATABASE " + d.name)
	d.ask(clusterSchema(t, flavour{database: d.name, cluster: "two"})[0])
	return d
}

// as is the server as a node of a shape, reached through a faulty way over HTTP.
func (d *database) as(way *way) node {
	return newNode(d.store("http://"+way.addr+"/"+d.name), way.addr)
}

// ownNode is the server as a node of a shape.
func (d *database) ownNode() node {
	return newNode(d.native(), engine.TCPAddr())
}

// clusterOf is a cluster's table with the given shards, of equal weights unless said.
func clusterOf(t *testing.T, quorum string, shape clusterShape) *clusterTable {
	t.Helper()
	c := newClusterTable(Store{Cluster: "two", Quorum: quorum}, slog.New(slog.DiscardHandler))
	for n, nodes := range shape.nodes {
		if len(shape.weights) == n {
			shape.weights = append(shape.weights, 1)
		}
		if len(shape.replicas) == n {
			shape.replicas = append(shape.replicas, len(nodes))
		}
	}
	c.shape = func(context.Context) (clusterShape, error) { return shape, nil }
	t.Cleanup(c.close)
	return c
}

// many are n events of one partition.
func many(t *testing.T, n int) *block {
	t.Helper()
	var records []record
	for i := range n {
		records = append(records, plain(int64(i)))
	}
	return blockOf(t, records...)
}

// counted adds up what a question for one number is answered by several servers.
func counted(servers []*database, question string) (sum int) {
	for _, d := range servers {
		var n int
		if _, err := fmt.Sscan(d.ask(question), &n); err != nil {
			d.t.Fatal(err)
		}
		sum += n
	}
	return sum
}
