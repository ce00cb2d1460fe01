package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/internal/embedded"
	"sluice/internal/plan/measure"
	"sluice/internal/settings"
	"sluice/internal/testcommand"
)

// engine is an external ClickHouse for the tests that need one.
var engine struct {
	*embedded.Engine
	once sync.Once
	stop context.CancelFunc
	done chan error
	dir  string
}

func TestMain(m *testing.M) {
	embedded.Main()
	measure.Main(planParts)
	testcommand.AsProgram(main)
	code := m.Run()
	if engine.stop != nil {
		engine.stop()
		<-engine.done
		_ = os.RemoveAll(engine.dir)
	}
	os.Exit(code)
}

func someClickHouse(t *testing.T) *embedded.Engine {
	t.Helper()
	engine.once.Do(func() {
		engine.dir, _ = os.MkdirTemp("", "sluice-cmd-")
		engine.Engine = embedded.NewEngine(embedded.EngineConfig{
			TCPAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", DataDir: engine.dir, Progress: os.Stderr,
		})
		var ctx context.Context
		ctx, engine.stop = context.WithCancel(context.Background())
		engine.done = make(chan error, 1)
		go func() { engine.done <- engine.Run(ctx) }()
		select {
		case <-engine.Ready():
		case err := <-engine.done:
			engine.done <- err
		}
	})
	require.NotEmpty(t, engine.TCPAddr(), "the engine did not start")
	return engine.Engine
}

// ask runs a statement and returns its output.
func ask(t *testing.T, query string) string {
	t.Helper()
	text, err := tryAsk(query)
	require.NoError(t, err)
	return text
}

func tryAsk(query string) (string, error) {
	res, err := http.Post("http://"+engine.HTTPAddr()+"/", "text/plain", strings.NewReader(query))
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, text)
	}
	return strings.TrimSpace(string(text)), err
}

// drop removes a database when the test ends.
func drop(t *testing.T, database string) {
	t.Cleanup(func() { ask(t, "DROP DATABASE IF EXISTS "+database+" SYNC") })
}

// someKafka starts an external Kafka with topics.
func someKafka(t *testing.T, topics ...string) (addr string) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, topics...))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c.ListenAddrs()[0]
}

// theirConsumer returns a live member of a group.
func theirConsumer(t *testing.T, addr, group, topic string) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	require.Eventually(t, func() bool { return groupMembers(t, client, group) == 1 }, time.Minute, 10*time.Millisecond)
	return client
}

func groupMembers(t *testing.T, client *kgo.Client, group string) int {
	t.Helper()
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{group}
	res, err := req.RequestWith(t.Context(), client)
	require.NoError(t, err)
	return len(res.Groups[0].Members)
}

// buffer can be read while a program writes to it.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// runningDev is sluice dev in this process.
type runningDev struct {
	http        string
	out, logged *buffer
	stop        func() error
}

// startDev runs sluice dev on free ports until the test ends or stop is called, and waits until it is ready.
func startDev(t *testing.T, env []string, args ...string) *runningDev {
	t.Helper()
	d := &runningDev{http: testcommand.Nobody(t), out: &buffer{}, logged: &buffer{}}
	args = append([]string{
		"dev", "--http-addr=" + d.http, "--admin-addr=127.0.0.1:0", "--consumer-admin-addr=127.0.0.1:0", "--flush-age=50ms", "--inserts-per-second=1000",
		"--log-format=text",
	}, args...)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx, settings.Source{Args: args, Env: env, Stdout: d.out, Stderr: d.logged}) }()
	d.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { _ = d.stop() })
	deadline := time.After(2 * time.Minute)
	for !strings.Contains(d.out.String(), "ready in") {
		select {
		case err := <-done:
			done <- err
			t.Fatalf("sluice dev ended: %v; it logged:\n%s", err, d.logged)
		case <-deadline:
			t.Fatalf("sluice dev is not ready; it logged:\n%s", d.logged)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return d
}

// send sends an event to dev's gateway and expects it to be accepted.
func (d *runningDev) send(t *testing.T, message string) {
	t.Helper()
	require.Equal(t, http.StatusAccepted, d.post(t, "dev-key", `{"message":"`+message+`"}`))
}

func (d *runningDev) post(t *testing.T, key, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+d.http+"/api/v1/events", strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res.StatusCode
}
