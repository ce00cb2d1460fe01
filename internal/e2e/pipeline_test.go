package e2e

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/segmentio/kafka-go"

	"sluice/internal/embedded"
)

const key = "e2e-key"

// pipeline is one scenario's topics, group and database, and the programs it started.
type pipeline struct {
	t        testing.TB
	name     string
	brokers  string // empty: those of all scenarios
	dsn      string
	projects string
	db       driver.Conn
	gateway  *program
	bin      string // where the gateways and consumers are that start from now on; "": those under test

	kafkaClient *kafka.Client
	url         string
	exempt      exempt
	settled     bool // conserved has run
	sums        sums // of scenarios that count every record
}

// newPipeline makes topics and schema as an operator does; the scenario starts the programs it needs.
func newPipeline(t testing.TB, partitions int) *pipeline {
	t.Helper()
	return newPipelineOn(t, partitions, lab.engine.TCPAddr())
}

// newPipelineThatKills is for scenarios that kill consumers. Another one of them may end their engine while this one
// makes its schema.
func newPipelineThatKills(t testing.TB, partitions int) *pipeline {
	t.Helper()
	p := newTopics(t, engineOfKillers(t).TCPAddr(), oneBroker(partitions)...)
	p.eventually("the schema", func() bool { code, _ := p.migrate(); return code == 0 })
	p.begin()
	return p
}

func engineOfKillers(t testing.TB) *embedded.Engine {
	t.Helper()
	engine, err := lab.killers()
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

func newPipelineOn(t testing.TB, partitions int, engine string) *pipeline {
	t.Helper()
	return newPipelineWith(t, engine, oneBroker(partitions)...)
}

// oneBroker are the flags of topics on a single broker.
func oneBroker(partitions int) []string {
	return []string{"--replication", "1", "--min-isr", "1", "--partitions", fmt.Sprint(partitions)}
}

// newPipelineWith makes the topics with the flags given.
func newPipelineWith(t testing.TB, engine string, topicFlags ...string) *pipeline {
	t.Helper()
	p := newTopics(t, engine, topicFlags...)
	if code, out := p.migrate(); code != 0 {
		t.Fatalf("migrate: %d\n%s", code, out)
	}
	p.begin()
	return p
}

// newTopics is a pipeline without a schema.
func newTopics(t testing.TB, engine string, topicFlags ...string) *pipeline {
	t.Helper()
	name := "e2e_" + strings.ReplaceAll(uuid.NewString(), "-", "")[:12]
	p := &pipeline{t: t, name: name, dsn: "clickhouse://" + engine + "/" + name}
	if code, out := runs(t, "sluice", slices.Concat([]string{"topics", "apply"}, topicFlags, p.kafka())...); code != 0 {
		t.Fatalf("topics apply: %d\n%s", code, out)
	}
	return p
}

func (p *pipeline) migrate() (code int, said string) {
	p.t.Helper()
	return runs(p.t, "consumer", "migrate", "--clickhouse-dsn", p.dsn)
}

// begin writes the projects file and connects the scenario to its database.
func (p *pipeline) begin() {
	p.t.Helper()
	t := p.t
	sum := sha256.Sum256([]byte(key))
	p.projects = filepath.Join(t.TempDir(), "projects.yaml")
	text := "projects:\n  - id: e2e\n    keys: [{name: test, sha256: " + hex.EncodeToString(sum[:]) + "}]\n    limit: {unlimited: true}\n"
	if err := os.WriteFile(p.projects, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p.connect()
	t.Cleanup(func() {
		p.conserved()
		p.note()
	})
}

func (p *pipeline) connect() {
	p.t.Helper()
	opts, err := clickhouse.ParseDSN(p.dsn)
	if err != nil {
		p.t.Fatal(err)
	}
	if p.db, err = clickhouse.Open(opts); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = p.db.Close() })
}

// kafka are the flags that name the scenario's topics.
func (p *pipeline) kafka() []string {
	brokers := lab.brokers
	if p.brokers != "" {
		brokers = p.brokers
	}
	return []string{"--kafka-brokers", brokers, "--kafka-topic", p.name, "--kafka-dead-topic", p.name + ".dead"}
}

// startGateway starts a gateway at addr, "127.0.0.1:0" for any port, and waits until it serves.
func (p *pipeline) startGateway(addr string, flags ...string) *program {
	p.t.Helper()
	g := startFrom(p.t, cmp.Or(p.bin, lab.bin), nil, "gateway", append(append(p.kafka(),
		"--http-addr", addr, "--admin-addr", "127.0.0.1:0", "--projects-file", p.projects, "--drain-delay", "0s"), flags...)...)
	p.url = "http://" + g.says(`msg="gateway serves" addr=(\S+)`)
	p.gateway = g
	return g
}

// startConsumer starts a consumer and waits until it has its partitions.
func (p *pipeline) startConsumer(flags ...string) *program {
	p.t.Helper()
	c := startFrom(p.t, cmp.Or(p.bin, lab.bin), nil, "consumer", append(append(p.kafka(),
		"--clickhouse-dsn", p.dsn, "--kafka-group", p.name, "--admin-addr", "127.0.0.1:0", "--flush-age", "200ms"), flags...)...)
	c.says(`msg="partitions assigned"`)
	return c
}

// answer is what a test looks at of the gateway's answers.
type answer struct {
	status     int
	retryAfter string
	EventID    string `json:"event_id"`
	Accepted   int    `json:"accepted"`
	Rejected   int    `json:"rejected"`
	Code       string `json:"code"`
	Errors     []struct {
		Index int    `json:"index"`
		Field string `json:"field"`
	} `json:"errors"`
	Retry [][2]int `json:"retry"`
}

func (p *pipeline) post(path, contentType, body string) answer {
	p.t.Helper()
	return post(p.t, p.url+path, contentType, body)
}

func post(t testing.TB, url, contentType, body string) answer {
	t.Helper()
	return postAs(t, key, url, contentType, body)
}

// postAs sends under another key than the scenarios'.
func postAs(t testing.TB, key, url, contentType, body string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", contentType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, retryAfter: resp.Header.Get("Retry-After")}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&a); err != nil {
		t.Fatalf("answer %q: %v", text, err)
	}
	return a
}

// scalar asks ClickHouse for one number.
func (p *pipeline) scalar(query string) uint64 {
	p.t.Helper()
	var n uint64
	// A client that is killed, in this scenario or in one beside it, can be the end of an embedded engine, which is
	// started again.
	p.eventually("an answer to "+query, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		return p.db.QueryRow(ctx, query).Scan(&n) == nil
	})
	return n
}

// rows waits until the view has that many rows and no more.
func (p *pipeline) rows(want uint64) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("%d rows", want), func() bool { return p.scalar("SELECT count() FROM events") >= want })
	if got := p.scalar("SELECT count() FROM events"); got != want {
		p.t.Fatalf("%d rows, want %d", got, want)
	}
}

// eventually waits for a condition.
func (p *pipeline) eventually(what string, condition func() bool) {
	p.t.Helper()
	p.within(60*time.Second, what, condition)
}

func (p *pipeline) within(most time.Duration, what string, condition func() bool) {
	p.t.Helper()
	deadline := time.NewTimer(most)
	defer deadline.Stop()
	// Most conditions are queries, which cost more processor time than what they wait for.
	for pause := 20 * time.Millisecond; !condition(); pause = min(pause*5/4, 250*time.Millisecond) {
		select {
		case <-time.After(pause):
		case <-deadline.C:
			p.t.Fatalf("did not come true in %s: %s", most, what)
		}
	}
}

// load is what the load generator needs to know of the scenario.
func (p *pipeline) load(flags ...string) []string {
	return append([]string{"load", "--url", p.url, "--key", key, "--clickhouse", p.dsn, "--verify", "--json", "--project", "e2e"}, flags...)
}
