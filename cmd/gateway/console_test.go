package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"sluice/internal/settings"
	"sluice/internal/testbrowser"
	"sluice/internal/testcommand"
)

// The console of a gateway in a browser: charts of the gateway and of the consumers that a setting names, one of which
// goes away, and no way to a database.
func TestConsoleOfAGateway(t *testing.T) {
	browser := testbrowser.Start(t)
	consumer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "sluice_consumer_rows_inserted_total 4321\nsluice_consumer_assigned_partitions 12\n"+
			"sluice_consumer_lag_records{topic=\"events\",partition=\"0\"} 17\n")
	}))
	defer consumer.Close()
	address := strings.TrimPrefix(consumer.URL, "http://")
	admin := testcommand.Nobody(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, settings.Source{Stdout: io.Discard, Stderr: &bytes.Buffer{}, Args: []string{
			"--http-addr=127.0.0.1:0", "--admin-addr=" + admin, "--console-consumers=" + address, "--kafka-brokers=" + testcommand.Nobody(t),
			"--drain-delay=0s", projectsFile(t, goodProjects),
		}})
	}()
	require.Eventually(t, func() bool {
		res, err := http.Get("http://" + admin + "/livez")
		return err == nil && res.Body.Close() == nil
	}, time.Minute, 10*time.Millisecond)

	require.NoError(t, chromedp.Do(browser, chromedp.EmulateViewport(1280, 900), chromedp.Navigate("http://"+admin+"/#sql")))
	until := func(script string) {
		t.Helper()
		_, err := chromedp.Run(browser, chromedp.Poll[bool](script, chromedp.WithPollingTimeout(time.Minute)))
		require.NoError(t, err, script)
	}
	until(`document.querySelector("[data-consumer='` + address + `'] data")?.value === "4321"`)
	until(`document.querySelector("#tile-lag b").textContent === "17"`)
	until(`document.getElementById("foot").textContent.includes("no access to the database")`)
	until(`document.getElementById("tabs").hidden && document.getElementById("sql").hidden && !document.getElementById("charts").hidden`)
	until(`document.getElementById("banner").textContent.includes("Kafka does not take everything")`)

	consumer.CloseClientConnections()
	consumer.Close()
	until(`document.getElementById("banner").textContent.includes("The consumer ` + address + ` does not answer")`)
	until(`document.querySelector("[data-consumer] .down")?.textContent === "unreachable"`)
	until(`document.querySelector("#tile-lag").textContent.includes("no consumer answers")`)

	res, err := http.Post("http://"+admin+"/console/query", "application/json", strings.NewReader(`{"sql":"SELECT 1"}`))
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusNotFound, res.StatusCode)
	stop()
	require.NoError(t, <-done)
	until(`document.getElementById("pulse").textContent === "no answer"`)
}

func TestWrongConsumersOfTheConsole(t *testing.T) {
	for _, command := range [][]string{{"check"}, nil} {
		_, err := try(t, append(command, "--console-consumers=consumer-1:8082,consumer-2", projectsFile(t, goodProjects)))
		require.ErrorContains(t, err, `--console-consumers: "consumer-2" is not host:port: the port is missing`)
	}
}
