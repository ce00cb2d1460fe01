package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// process has metrics with the names of the real programs.
type process struct {
	*prometheus.Registry
	counters map[string]*prometheus.CounterVec
	gauges   map[string]*prometheus.GaugeVec
}

func newProcess() *process {
	return &process{prometheus.NewRegistry(), map[string]*prometheus.CounterVec{}, map[string]*prometheus.GaugeVec{}}
}

// count adds to a counter. Labels come as name, value, ….
func (p *process) count(name string, n float64, labels ...string) {
	names, values := pairs(labels)
	if p.counters[name] == nil {
		p.counters[name] = prometheus.NewCounterVec(prometheus.CounterOpts{Name: name}, names)
		p.MustRegister(p.counters[name])
	}
	p.counters[name].WithLabelValues(values...).Add(n)
}

func (p *process) set(name string, v float64, labels ...string) {
	names, values := pairs(labels)
	if p.gauges[name] == nil {
		p.gauges[name] = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name}, names)
		p.MustRegister(p.gauges[name])
	}
	p.gauges[name].WithLabelValues(values...).Set(v)
}

func pairs(labels []string) (names, values []string) {
	for i := 0; i < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, labels[i+1])
	}
	return names, values
}

// newGateway is a gateway whose counters exist.
func newGateway() *process {
	p := newProcess()
	p.count("sluice_gateway_events_accepted_total", 0, "protocol", "native")
	p.count("sluice_gateway_events_rejected_total", 0, "reason", "unavailable", "protocol", "native")
	p.count("sluice_gateway_publish_errors_total", 0, "reason", "unreachable")
	p.count("sluice_gateway_requests_total", 0, "route", "bulk", "status", "202")
	return p
}

func newConsumer() *process {
	p := newProcess()
	p.count("sluice_consumer_rows_inserted_total", 0)
	p.count("sluice_consumer_dead_letters_total", 0, "reason", "not_json")
	p.set("sluice_consumer_blocked", 0, "reason", "clickhouse")
	return p
}

// shown is what the page gets.
func shown(t *testing.T, c *Console, query string) answerData {
	t.Helper()
	w := httptest.NewRecorder()
	c.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/console/data"+query, nil))
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	var out answerData
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out))
	return out
}

// While run runs there is a sample every 5 s; each has what happened since the one before.
func TestAround(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gateway, consumer := newGateway(), newConsumer()
		c := New(Config{Gateway: gateway, Local: map[string]prometheus.Gatherer{"consumer": consumer}, Version: "v1"})
		before := shown(t, c, "")
		require.NotNil(t, before.Consumers)
		require.Empty(t, before.Times)
		stopped := errors.New("stopped")
		require.ErrorIs(t, c.Around(t.Context(), func(context.Context) error {
			synctest.Wait()
			require.Empty(t, shown(t, c, "").Times, "the first sample has nothing to compare with")
			gateway.count("sluice_gateway_events_accepted_total", 50, "protocol", "native")
			gateway.count("sluice_gateway_events_accepted_total", 10, "protocol", "otlp")
			gateway.count("sluice_gateway_events_rejected_total", 5, "reason", "invalid_event", "protocol", "native")
			gateway.count("sluice_gateway_requests_total", 20, "route", "bulk", "status", "202")
			gateway.count("sluice_gateway_requests_total", 5, "route", "bulk", "status", "429")
			gateway.count("sluice_gateway_requests_total", 10, "route", "events", "status", "503")
			gateway.set("sluice_gateway_inflight_bytes", 1234)
			consumer.count("sluice_consumer_rows_inserted_total", 40)
			consumer.count("sluice_consumer_dead_letters_total", 3, "reason", "not_json")
			consumer.set("sluice_consumer_lag_records", 7, "topic", "events", "partition", "0")
			time.Sleep(interval)
			synctest.Wait()
			return stopped
		}), stopped)

		got := shown(t, c, "")
		require.Equal(t, totals{Requests: 35, Accepted: 60, Refused: 5, Rows: 40, Dead: 3}, got.Totals)
		require.Len(t, got.Times, 1)
		for name, want := range map[string]float32{
			"accepted": 12, "accepted.protocol/native": 10, "accepted.protocol/otlp": 2, "refused": 1, "refused.reason/invalid_event": 1,
			"requests.answer/2xx": 4, "requests.answer/429": 1, "requests.answer/5xx": 2, "requests.route/bulk": 5, "requests.route/events": 2,
			"bytes.inflight": 1234, "rows": 8, "dead": 0.6, "dead.reason/not_json": 0.6, "lag.records": 7,
		} {
			require.Len(t, got.Series[name], 1, name)
			require.InDelta(t, want, got.Series[name][0], 1e-6, name)
		}
		require.Equal(t, "v1", got.Version)
		require.Equal(t, 720, got.Samples)
		require.True(t, got.Watches)
		require.Len(t, got.Consumers, 1)
		require.InDelta(t, 8, got.Consumers[0].Rows, 1e-9)
		require.Contains(t, got.Problems[0].Text, "3 records became dead letters")
	})
}

// step takes a sample 5 s after the one before.
type steps struct {
	*sampler
	now time.Time
}

func (s *steps) step(t *testing.T) (map[string]float64, view) {
	t.Helper()
	s.now = s.now.Add(interval)
	return s.take(t.Context(), s.now)
}

func texts(v view) string {
	var b strings.Builder
	for _, p := range v.Problems {
		b.WriteString(p.Severity + ": " + p.Text + " " + p.Hint + "\n")
	}
	return b.String()
}

// The banner says what is wrong, for as long as it has been so in the last 15 s.
func TestKafkaAway(t *testing.T) {
	gateway := newGateway()
	s := &steps{newSampler(Config{Gateway: gateway}), time.Now()}
	s.step(t)
	_, v := s.step(t)
	require.Empty(t, v.Problems)
	gateway.count("sluice_gateway_publish_errors_total", 4, "reason", "unreachable")
	_, v = s.step(t)
	require.Equal(t, "critical: Kafka does not take everything: 4 requests to it failed in the last 15 s (unreachable). "+
		"Check that the brokers run and that this gateway reaches them.\n", texts(v))
	gateway.count("sluice_gateway_events_rejected_total", 1, "reason", "unavailable", "protocol", "native")
	_, v = s.step(t)
	require.Contains(t, texts(v), "Senders were answered 503 for 1 event and send again.")
	for range recently {
		_, v = s.step(t)
	}
	require.Empty(t, v.Problems, "it is over")

	gateway.count("sluice_gateway_publish_errors_total", 1, "reason", "leader")
	gateway.count("sluice_gateway_events_accepted_total", 1, "protocol", "native")
	_, v = s.step(t)
	require.Contains(t, texts(v), "warning: Kafka does not take everything: 1 request to it failed", "events come through all the same")

	gateway.set("sluice_gateway_spool_events", 12)
	gateway.set("sluice_gateway_spool_oldest_seconds", 90)
	gateway.set("sluice_gateway_projects_file_broken", 1)
	gateway.set("sluice_gateway_limit_store_up", 0)
	_, v = s.step(t)
	for _, want := range []string{"12 events wait in the spool, the oldest for 1m30s", "The projects file is broken", "The limit store does not answer"} {
		require.Contains(t, texts(v), want)
	}
}

func TestConsumerProblems(t *testing.T) {
	gateway, a := newGateway(), newConsumer()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("go_threads 3\n")) }))
	defer web.Close()
	s := &steps{newSampler(Config{
		Gateway: gateway, Local: map[string]prometheus.Gatherer{"a": a},
		Consumers: []string{"127.0.0.1:1", strings.TrimPrefix(web.URL, "http://")},
	}), time.Now()}
	defer s.client.Close()
	a.set("sluice_consumer_blocked", 2, "reason", "clickhouse")
	a.set("sluice_consumer_lag_seconds", 61)
	_, v := s.step(t)
	require.Len(t, v.Consumers, 3)
	require.True(t, v.Consumers[0].Up)
	require.Equal(t, []string{"clickhouse"}, v.Consumers[0].Blocked)
	for _, want := range []string{
		"critical: The consumer 127.0.0.1:1 does not answer: dial tcp 127.0.0.1:1: connect: connection refused.",
		"answered with the metrics of another program", "critical: Partitions of the consumer wait for ClickHouse",
		"warning: The consumer is behind: its oldest event has waited for 1m1s.",
	} {
		require.Contains(t, texts(v), want)
	}
	require.Less(t, strings.LastIndex(texts(v), "critical"), strings.Index(texts(v), "warning"), "the worst first")
}

// Two consumers add up. A partition that both have for a moment counts once, and a new process counts from its second
// sample on.
func TestConsumersTogether(t *testing.T) {
	gateway, a, b := newGateway(), newConsumer(), newConsumer()
	cfg := Config{Gateway: gateway, Local: map[string]prometheus.Gatherer{"a": a}}
	s := &steps{newSampler(cfg), time.Now()}
	s.step(t)
	b.count("sluice_consumer_rows_inserted_total", 1000)
	cfg.Local["b"] = b
	a.count("sluice_consumer_rows_inserted_total", 10)
	values, _ := s.step(t)
	require.InDelta(t, 2, values["rows"], 1e-9)
	a.count("sluice_consumer_rows_inserted_total", 10)
	b.count("sluice_consumer_rows_inserted_total", 20)
	for partition, lag := range map[string]float64{"0": 5, "1": 7} {
		a.set("sluice_consumer_lag_records", lag, "topic", "events", "partition", partition)
	}
	b.set("sluice_consumer_lag_records", 6, "topic", "events", "partition", "1")
	b.set("sluice_consumer_lag_records", 100, "topic", "events", "partition", "2")
	values, v := s.step(t)
	require.InDelta(t, 6, values["rows"], 1e-9)
	require.InDelta(t, 112, values["lag.records"], 0)
	require.InDelta(t, 1040, v.Totals.Rows, 0)
	require.NotContains(t, values, "fresh.p50", "no batch, no quantile")
}

// Without a consumer that answers there is no lag, which is not a lag of zero.
func TestNoConsumerAnswers(t *testing.T) {
	s := &steps{newSampler(Config{Gateway: newGateway()}), time.Now()}
	s.step(t)
	values, v := s.step(t)
	require.NotContains(t, values, "lag.records")
	require.Empty(t, v.Consumers)
}

func TestHeadersAndPaths(t *testing.T) {
	c := New(Config{Gateway: newGateway(), NoExplore: "no database"})
	get := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		c.Handler().ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w
	}
	page := get(http.MethodGet, "/")
	require.Equal(t, http.StatusOK, page.Code)
	require.Contains(t, page.Body.String(), "<title>Sluice</title>")
	require.Equal(t, "no-cache", page.Header().Get("Cache-Control"))
	for _, path := range []string{"/", "/console/data", "/console/query", "/none"} {
		h := get(http.MethodGet, path).Header()
		policy := h.Get("Content-Security-Policy")
		require.Contains(t, policy, "default-src 'none'; script-src 'self'; style-src 'self'", path)
		require.NotContains(t, policy, "unsafe")
		require.NotContains(t, policy, "http")
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
		require.Equal(t, "DENY", h.Get("X-Frame-Options"))
		require.Empty(t, h.Get("Access-Control-Allow-Origin"))
	}
	for _, path := range []string{"/console/query", "/console/events", "/console/issues", "/console/examples", "/console/assets/x/none.js"} {
		require.Equal(t, http.StatusNotFound, get(http.MethodGet, path).Code, path)
	}
	require.Equal(t, http.StatusMethodNotAllowed, get(http.MethodPost, "/").Code)
	require.Equal(t, "no database", shown(t, c, "?since=nonsense").NoExplore)
}

func TestSettings(t *testing.T) {
	require.NoError(t, Settings{}.Check())
	require.NoError(t, Settings{Consumers: []string{"consumer:8082"}}.Check())
	require.ErrorContains(t, Settings{Consumers: []string{"consumer"}}.Check(), "--console-consumers: ")
}
