package e2e

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// script returns the block of shell commands behind a marker in docs/operations.md.
func script(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)<!-- script: " + name + " -->\n```sh\n(.*?)```\n").FindSubmatch(text)
	require.NotNil(t, block, "docs/operations.md has no script %s", name)
	return string(block[1])
}

// operator runs scripts of docs/operations.md on a pipeline. It does what the functions do that each reader writes.
type operator struct {
	*pipeline
	http      string            // ClickHouse's HTTP port
	set       map[string]string // more variables
	consumers []*program
	bins      map[string]string // version → where its programs are
	onRollOut func(key string)  // gives the clients a new key
}

// order is something that a script asks for while it runs.
type order struct {
	verb string
	args []string
	done chan error
}

// functions are those that docs/operations.md leaves to its readers.
const functions = `
order() { curl -fsS --max-time 300 "$CONTROL" -d "$*"; }
ch() { curl --fail-with-body -sS "$CLICKHOUSE_HTTP" --data-binary "$1"; }
consumers() { order consumers "$1"; }
change() { order change "$1" "$2"; }
migrate() { order migrate "$1"; }
roll_out() { order roll_out "$1"; }
`

// run runs a script to its end and returns its output. It carries out orders on the test's own goroutine.
func (o *operator) run(name string) string {
	o.t.Helper()
	t := o.t
	orders := make(chan order)
	control := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var line [200]byte
		n, _ := r.Body.Read(line[:])
		words := strings.Fields(string(line[:n]))
		it := order{verb: words[0], args: words[1:], done: make(chan error, 1)}
		select {
		case orders <- it:
		case <-r.Context().Done():
			return
		}
		if err := <-it.done; err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	defer control.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", functions+script(t, name))
	cmd.WaitDelay = 10 * time.Second
	cmd.Dir = o.dir()
	cmd.Env = append(environment(),
		"PATH="+lab.bin+":"+os.Getenv("PATH"), "CONTROL="+control.URL, "GATEWAY="+o.url, "KEY="+key,
		"PROJECT=e2e", "PROJECTS="+o.projects, "DATABASE="+o.name, "CLICKHOUSE_HTTP=http://"+o.http+"/",
		"SLUICE_KAFKA_BROKERS="+lab.brokers, "SLUICE_KAFKA_TOPIC="+o.name, "SLUICE_KAFKA_DEAD_TOPIC="+o.name+".dead",
		"SLUICE_KAFKA_GROUP="+o.name, "SLUICE_CLICKHOUSE_DSN="+o.dsn)
	for name, value := range o.set {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	ended := make(chan struct{})
	var out []byte
	var err error
	go func() {
		defer close(ended)
		out, err = cmd.CombinedOutput()
	}()
	for {
		select {
		case it := <-orders:
			it.done <- o.obey(it)
		case <-ended:
			require.NoError(t, err, "script %s:\n%s", name, out)
			return string(out)
		}
	}
}

// dir is where the operator's files are.
func (o *operator) dir() string { return filepath.Dir(o.projects) }

func (o *operator) obey(it order) error {
	switch it.verb {
	case "consumers":
		var n int
		if _, err := fmt.Sscan(it.args[0], &n); err != nil {
			return err
		}
		o.scale(n)
	case "change":
		if it.args[0] == "consumer" {
			o.changeConsumers(it.args[1])
		} else {
			o.changeGateway(it.args[1])
		}
	case "migrate":
		if code, said := o.as(it.args[0], "consumer", "migrate", "--clickhouse-dsn", o.dsn); code != 0 {
			return fmt.Errorf("migrate: %d\n%s", code, said)
		}
	case "roll_out":
		o.onRollOut(it.args[0])
	default:
		return fmt.Errorf("unknown order %s", it.verb)
	}
	return nil
}

// scale starts or ends consumers, as many as it takes.
func (o *operator) scale(n int) {
	for len(o.consumers) < n {
		o.consumers = append(o.consumers, o.startConsumer())
	}
	for len(o.consumers) > n {
		last := len(o.consumers) - 1
		require.Zero(o.t, o.consumers[last].term())
		o.consumers = o.consumers[:last]
	}
	o.eventually(fmt.Sprintf("%d members", n), func() bool { return o.members() == n })
}

// changeConsumers replaces the consumers one at a time.
func (o *operator) changeConsumers(version string) {
	defer o.use(version)()
	for i, c := range o.consumers {
		require.Zero(o.t, c.term())
		o.consumers[i] = o.startConsumer()
	}
}

// changeGateway replaces the gateway. The new one serves at the same address.
func (o *operator) changeGateway(version string) {
	defer o.use(version)()
	addr := strings.TrimPrefix(o.url, "http://")
	require.Zero(o.t, o.gateway.term())
	o.eventually("the gateway's port free", func() bool {
		l, err := net.Listen("tcp", addr)
		if err == nil {
			_ = l.Close()
		}
		return err == nil
	})
	o.startGateway(addr)
}

// use makes a version's programs those that start from now on, until the function it returns is called.
func (o *operator) use(version string) (back func()) {
	dir := o.bins[version]
	require.NotEmpty(o.t, dir, "version %s", version)
	o.bin = dir
	return func() { o.bin = "" }
}

// as runs a program of a version to its end.
func (o *operator) as(version, name string, args ...string) (int, string) {
	defer o.use(version)()
	p := startFrom(o.t, cmp.Or(o.bin, lab.bin), nil, name, args...)
	code := p.wait(5 * time.Minute)
	return code, p.output()
}
