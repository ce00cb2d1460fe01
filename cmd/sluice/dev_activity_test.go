package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"sluice/internal/testcommand"
)

// logActivity writes one line per interval with the reasons, none without events, and the rest at its end.
func TestActivity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		edge, behind := prometheus.NewRegistry(), prometheus.NewRegistry()
		accepted := prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_gateway_events_accepted_total"})
		rejected := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_gateway_events_rejected_total"}, []string{"reason"})
		rows := prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_consumer_rows_inserted_total"})
		dead := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_consumer_dead_letters_total"}, []string{"reason"})
		edge.MustRegister(accepted, rejected)
		behind.MustRegister(rows, dead)
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- logActivity(ctx, log, 5*time.Second, []prometheus.Gatherer{edge, behind}) }()
		synctest.Wait()
		accepted.Add(3)
		rejected.WithLabelValues("unauthorized").Add(2)
		rejected.WithLabelValues("too_large").Add(1)
		time.Sleep(5 * time.Second) // of the bubble's clock
		synctest.Wait()
		require.Equal(t, "level=INFO msg=events accepted=3 rejected=3 rows=0 rejected_for=\"too_large=1 unauthorized=2\"\n", out.String())
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, 1, strings.Count(out.String(), "\n"))
		out.Reset()
		rows.Add(3)
		dead.WithLabelValues("not_json").Inc()
		cancel()
		require.NoError(t, <-done)
		require.Equal(t, "level=INFO msg=events accepted=0 rejected=0 rows=3 dead_letters=1 dead_for=\"not_json=1\"\n", out.String())
	})
}

// dev logs accepted and refused events.
func TestDevSaysWhatArrives(t *testing.T) {
	clickhouse := someClickHouse(t)
	drop(t, devDatabase)
	d := startDev(t, nil, "--data-dir="+t.TempDir(), "--kafka-addr="+testcommand.Nobody(t), "--clickhouse=clickhouse://"+clickhouse.TCPAddr())
	d.send(t, "hello")
	require.Equal(t, 401, d.post(t, "wrong", `{"message":"hello"}`))
	require.NoError(t, d.stop())
	require.Regexp(t, `msg=events accepted=1 rejected=1 rows=[01] rejected_for="?unauthorized=1`, d.logged.String())
}
