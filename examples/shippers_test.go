package examples

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// testShippers runs the log shippers that are installed, each with its configuration of the folder shippers, and looks
// for the lines that they send in ClickHouse. A shipper that is not installed is skipped.
func testShippers(t *testing.T, d *dev) {
	t.Run("rsyslog", func(t *testing.T) {
		module := "/usr/lib/*/rsyslog/omelasticsearch.so"
		if found, _ := filepath.Glob(module); len(found) == 0 {
			missing(t, "rsyslogd with omelasticsearch", "rsyslog and rsyslog-elasticsearch")
		}
		s := d.shipper(t, "rsyslogd", "rsyslog and rsyslog-elasticsearch")
		s.config("main.conf", `
			global(workDirectory="%[1]s")
			module(load="imfile" mode="polling" pollingInterval="1")
			input(type="imfile" file="%[1]s/app.log" tag="shop:" severity="error" facility="user")
			include(file="%[2]s/rsyslog.conf")`)
		s.lines("payment failed, says rsyslog", "order paid, says rsyslog")
		s.start("-n", "-f", s.path("main.conf"), "-i", s.path("pid"))
		s.wants("payment failed, says rsyslog", "error", "shop", "user")
		s.lines("a line for the file that grows, says rsyslog")
		s.wants("order paid, says rsyslog", "error", "shop", "user")
		s.wants("a line for the file that grows, says rsyslog", "error", "shop", "user")
	})
	t.Run("syslog-ng", func(t *testing.T) {
		s := d.shipper(t, "syslog-ng", "syslog-ng-core and syslog-ng-mod-http")
		s.config("main.conf", `@version: 3.35
			options { keep-hostname(yes); };
			source s_src { file("%[1]s/app.log" follow-freq(1)); };
			@include "%[2]s/syslog-ng.conf"`)
		s.lines("<11>Nov 28 13:00:00 web-1 shop[7]: payment failed, says syslog-ng", "<134>Nov 28 13:00:01 web-1 kiosk: order paid, says syslog-ng")
		s.start("-F", "--no-caps", "-f", s.path("main.conf"), "-R", s.path("persist"), "-c", s.path("ctl"), "-p", s.path("pid"))
		s.wants("payment failed, says syslog-ng", "error", "shop", "user")
		s.wants("order paid, says syslog-ng", "info", "kiosk", "local0")
	})
	t.Run("fluent-bit", func(t *testing.T) {
		s := d.shipper(t, "fluent-bit", "fluent-bit, from its own repository")
		s.lines(`payment failed, says fluent-bit`)
		s.start("-c", s.path("fluent-bit.yaml"))
		s.wants("payment failed, says fluent-bit", "info", "", "")
	})
	t.Run("vector", func(t *testing.T) {
		s := d.shipper(t, "vector", "vector, from its own repository")
		s.lines(`{"message":"payment failed, says vector","level":"error","tags":{"program":"shop","facility":"user"}}`)
		s.start("--config", s.path("vector.yaml"))
		s.wants("payment failed, says vector", "error", "shop", "user")
	})
	t.Run("logstash", func(t *testing.T) {
		s := d.shipper(t, "logstash", "logstash, from its own repository")
		s.start("-f", s.path("logstash.conf"), "--path.data", s.path("data"))
		s.lines(`{"message":"payment failed, says logstash","level":"error","tags":{"program":"shop","facility":"user"}}`)
		s.wants("payment failed, says logstash", "error", "shop", "user")
	})
	t.Run("otelcol-contrib", func(t *testing.T) {
		s := d.shipper(t, "otelcol-contrib", "the OpenTelemetry Collector, from its own repository")
		s.lines(`payment failed, says the collector`)
		s.start("--config", s.path("otel-collector.yaml"))
		s.wants("payment failed, says the collector", "info", "", "")
	})
	t.Run("protocols", func(t *testing.T) {
		at := time.Now().UTC()
		for _, c := range []struct{ name, path, body string }{
			{"Elasticsearch", "/_bulk", `{"index":{"_index":"logs"}}` + "\n" + at.Format(`{"@timestamp":"2006-01-02T15:04:05.000Z",`) +
				`"message":"payment failed, as to Elasticsearch","log":{"level":"ERROR"},"host":{"name":"h"},"labels":{"program":"shop","facility":"user"}}` + "\n"},
			{"Loki", "/loki/api/v1/push", fmt.Sprintf(`{"streams":[{"stream":{"program":"shop","level":"error","host":"h"},"values":[["%d",`+
				`"{\"msg\":\"payment failed, as to Loki\"}",{"facility":"user"}]]}]}`, at.UnixNano())},
			{"Splunk", "/services/collector", fmt.Sprintf(`{"time":%d,"host":"h","event":{"message":"payment failed, as to Splunk","severity":"error"},`+
				`"fields":{"program":"shop","facility":"user"}}`, at.Unix())},
		} {
			for range 2 { // the second is the first, sent again
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.gateway+c.path, strings.NewReader(c.body))
				require.NoError(t, err)
				req.Header.Set("Content-Type", "application/json")
				req.SetBasicAuth("sluice", "dev-key")
				res, err := http.DefaultClient.Do(req)
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				require.Less(t, res.StatusCode, 300, c.name)
			}
			s := &shipper{t: t, d: d, program: c.name}
			s.wants("payment failed, as to "+c.name, "error", "shop", "user")
		}
	})
	t.Run("YAML", func(t *testing.T) {
		files, err := filepath.Glob("shippers/*.yaml")
		require.NoError(t, err)
		require.Len(t, files, 3)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			var config map[string]any
			require.NoError(t, yaml.Unmarshal(text, &config), file)
			require.NotEmpty(t, config, file)
		}
	})
}

// missing skips the test of a shipper.
func missing(t *testing.T, what, packages string) {
	t.Helper()
	t.Skipf("%s is not installed: install %s to run this example", what, packages)
}

// shipper is a log shipper under test. It runs in a folder of its own.
type shipper struct {
	t       *testing.T
	d       *dev
	program string
	dir     string
	log     log
}

func (d *dev) shipper(t *testing.T, program, packages string) *shipper {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		missing(t, program, packages)
	}
	return &shipper{t: t, d: d, program: path, dir: t.TempDir()}
}

// path returns the path of a file of the example, or else of the shipper's folder.
func (s *shipper) path(name string) string {
	if own, err := filepath.Abs(filepath.Join("shippers", name)); err == nil {
		if _, err := os.Stat(own); err == nil {
			return own
		}
	}
	return filepath.Join(s.dir, name)
}

// config writes a configuration around that of the example. Its text has %[1]s for the shipper's folder and %[2]s for
// that of the examples.
func (s *shipper) config(name, text string) {
	s.t.Helper()
	examples, err := filepath.Abs("shippers")
	require.NoError(s.t, err)
	text = strings.ReplaceAll(text, "\t", "") // syslog-ng wants an include at the beginning of a line
	require.NoError(s.t, os.WriteFile(s.path(name), fmt.Appendf(nil, text+"\n", s.dir, examples), 0o600))
}

// lines appends lines to the file that the shipper reads.
func (s *shipper) lines(lines ...string) {
	s.t.Helper()
	file, err := os.OpenFile(s.path("app.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(s.t, err)
	_, err = file.WriteString(strings.Join(lines, "\n") + "\n")
	require.NoError(s.t, err)
	require.NoError(s.t, file.Close())
}

// start runs the shipper until the test ends.
func (s *shipper) start(args ...string) {
	s.t.Helper()
	host, port, _ := strings.Cut(strings.TrimPrefix(s.d.gateway, "http://"), ":")
	cmd := exec.Command(s.program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, &s.log, &s.log
	cmd.Env = append(os.Environ(), "SLUICE_URL="+s.d.gateway, "SLUICE_HOST="+host, "SLUICE_PORT="+port, "SLUICE_KEY=dev-key",
		"LOGS="+s.path("app.log"), "STATE="+s.dir)
	require.NoError(s.t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			_ = cmd.Process.Kill()
			s.t.Errorf("%s does not end: %s", s.program, &s.log)
		}
	})
}

// wants waits until the message is in exactly one row, and compares the row's other columns.
func (s *shipper) wants(message, level, program, facility string) {
	s.t.Helper()
	query := fmt.Sprintf("SELECT level, tags['program'], tags['facility'], timestamp_adjusted, server_name = '' "+
		"FROM sluice.events WHERE message = '%s' FORMAT TSV", message)
	want := strings.Join([]string{level, program, facility, "false"}, "\t")
	last := ""
	found := assert.Eventually(s.t, func() bool {
		last = s.d.query(query)
		return last != ""
	}, time.Minute, 20*time.Millisecond)
	require.True(s.t, found, "%q is in no row; the shipper says: %s", message, &s.log)
	require.Equal(s.t, want, last[:strings.LastIndexByte(last, '\t')])
	if program != "" {
		require.True(s.t, strings.HasSuffix(last, "\t0"), "no server_name: %s", last)
	}
}
