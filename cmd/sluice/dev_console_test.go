package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"sluice/internal/settings"
	"sluice/internal/testbrowser"
	"sluice/internal/testcommand"
)

// consolePage is the console of a sluice dev in a browser.
type consolePage struct {
	t   *testing.T
	ctx context.Context
}

// eval runs a script in the page.
func eval[T any](p consolePage, script string) T {
	p.t.Helper()
	out, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	require.NoError(p.t, err, script)
	return out
}

// until waits until a script is true.
func (p consolePage) until(script string) {
	p.t.Helper()
	deadline := time.After(time.Minute)
	for !eval[bool](p, "!!("+script+")") {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-deadline:
			p.shoot("failed")
			require.Fail(p.t, "never true: "+script, eval[string](p, "document.body.innerText"))
		}
	}
}

// do runs a script whose value does not matter.
func (p consolePage) do(script string) {
	p.t.Helper()
	eval[bool](p, "(() => {"+script+"; return true})()")
}

// shoot saves a picture to look at, if _SLUICE_SHOTS names a folder.
func (p consolePage) shoot(name string) {
	p.t.Helper()
	if dir := os.Getenv("_SLUICE_SHOTS"); dir != "" {
		png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
		require.NoError(p.t, err)
		require.NoError(p.t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600))
	}
}

// size sets the window's size, and requires that nothing is wider than it.
func (p consolePage) size(width, height int64) {
	p.t.Helper()
	require.NoError(p.t, chromedp.Do(p.ctx, chromedp.EmulateViewport(width, height)))
	p.until(fmt.Sprintf("innerWidth === %d && document.documentElement.scrollWidth <= %d", width, width))
}

// metric returns the sum of a counter of an admin port.
func metric(t *testing.T, admin, name string) float64 {
	t.Helper()
	res, err := http.Get("http://" + admin + "/metrics")
	require.NoError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	sum := 0.0
	for _, m := range regexp.MustCompile(`(?m)^`+name+`(?:\{[^}]*\})? (\S+)$`).FindAllSubmatch(text, -1) {
		v, err := strconv.ParseFloat(string(m[1]), 64)
		require.NoError(t, err)
		sum += v
	}
	return sum
}

// The console in a browser while sluice load runs, while Kafka is away, and as wide as a phone. It shows the numbers
// that the metrics have, and breaks no rule of its Content-Security-Policy.
func TestConsoleInABrowser(t *testing.T) {
	ctx := testbrowser.Start(t)
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	defer kafka.Close()
	edge, behind := testcommand.Nobody(t), testcommand.Nobody(t)
	d := startDev(t, nil, "--data-dir="+t.TempDir(), "--kafka="+kafka.ListenAddrs()[0], "--clickhouse-addr="+testcommand.Nobody(t),
		"--clickhouse-http-addr="+testcommand.Nobody(t), "--admin-addr="+edge, "--consumer-admin-addr="+behind,
		"--request-timeout=1s", "--drain-timeout=1s")
	require.True(t, strings.HasPrefix(d.out.String(), "console: http://"+edge+"/\n"), d.out.String())

	p := consolePage{t, ctx}
	require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(1280, 900), chromedp.Navigate("http://"+edge+"/#events")))
	p.until(`document.querySelector("#events .note pre")?.textContent.includes("curl -i http://` + d.http + `")`)
	require.Equal(t, 401, d.post(t, "wrong", `{"message":"no key"}`))
	require.Equal(t, 202, d.post(t, "dev-key", `{"message":"<img src=x onerror=alert(1)>","level":"error"}`))
	p.until(`document.querySelector("#events .lines .text")?.textContent === "<img src=x onerror=alert(1)>"`)
	require.Zero(t, eval[int](p, `document.querySelectorAll("#events img").length`), "what is sent is text")

	load := settings.Source{Args: []string{"load", "--url=http://" + d.http, "--events=3000", "--bulk=50", "--connections=2", "--rate=600"},
		Stdout: io.Discard, Stderr: io.Discard}
	require.NoError(t, run(t.Context(), load))
	p.do(`location.hash = "charts"`)
	p.numbersEqual(edge, behind)
	p.until(`document.querySelector("#tile-accepted .line").hasAttribute("d") && !document.querySelector("#tile-fresh .sub").textContent.includes("collecting")`)
	p.readableChart()
	p.shoot("charts")

	p.queries()
	p.phone()
	p.kafkaAway(t, kafka, d)

	require.Equal(t, "", eval[string](p, `new Promise(done => {
		const seen = [];
		new ReportingObserver(r => seen.push(...r.map(x => JSON.stringify(x.body))), {types: ["csp-violation"], buffered: true}).observe();
		setTimeout(() => done(seen.join()), 200);
	})`), "the page keeps its Content-Security-Policy")
	require.Equal(t, "", eval[string](p, `performance.getEntriesByType("resource").map(e => e.name).filter(n => !n.startsWith(location.origin)).join()`),
		"the page asks its own server only")
	require.NoError(t, d.stop())
}

// numbersEqual waits until the page shows what the metrics say.
func (p consolePage) numbersEqual(edge, behind string) {
	p.t.Helper()
	accepted, refused := metric(p.t, edge, "sluice_gateway_events_accepted_total"), metric(p.t, edge, "sluice_gateway_events_rejected_total")
	require.Equal(p.t, []float64{3001, 1}, []float64{accepted, refused})
	p.until(`Number(document.querySelector("[data-total=accepted]")?.value) === 3001 && document.querySelector("[data-total=refused]").value === "1"`)
	require.Equal(p.t, "3,001", eval[string](p, `document.querySelector("[data-total=accepted]").textContent`))
	p.until(`document.querySelector("[data-consumer=consumer] data").value === "3001"`)
	require.InDelta(p.t, 3001, metric(p.t, behind, "sluice_consumer_rows_inserted_total"), 0)

	// The rates of all samples are those of the counters: none is lost between two samples.
	sum := eval[float64](p, `fetch("/console/data").then(r => r.json()).then(d => d.series["accepted"].reduce((a, b) => a + b, 0) * d.interval)`)
	require.InDelta(p.t, 3001, sum, 30, "up to the tick's jitter")
}

// readableChart reads a chart with the keyboard, and as a table.
func (p consolePage) readableChart() {
	p.t.Helper()
	p.until(`document.querySelector("#gateway .chart .legend b")?.textContent.length > 0`)
	p.do(`document.querySelector("#gateway .plot").focus()`)
	p.do(`document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowLeft", bubbles: true}))`)
	require.Contains(p.t, eval[string](p, `document.querySelector("#gateway .tip:not([hidden])")?.textContent ?? "no tooltip"`), "accepted")
	require.Contains(p.t, eval[string](p, `document.querySelector("#gateway [aria-live]").textContent`), "accepted")
	p.do(`document.querySelector("#gateway .chart-head button").click()`)
	require.Greater(p.t, eval[int](p, `document.querySelectorAll("#gateway .values tbody tr").length`), 0)
	p.do(`document.querySelector("#gateway .chart-head button").click()`)
}

// queries runs every example, a statement that fails, and one of an issue.
func (p consolePage) queries() {
	p.t.Helper()
	p.do(`location.hash = "sql"`)
	p.until(`document.querySelectorAll(".examples button").length === 9`)
	for i := range 9 {
		require.Equal(p.t, "", eval[string](p, fmt.Sprintf(`new Promise(done => {
			document.querySelector("#sql .result:last-child").replaceChildren();
			document.querySelectorAll(".examples button")[%d].click();
			const wait = () => {
				const failed = document.querySelector("#sql .banner"), meta = document.querySelector("#sql .meta");
				failed ? done(failed.textContent) : meta ? done("") : setTimeout(wait, 20);
			};
			wait();
		})`, i)), "example %d", i)
	}
	p.do(`document.querySelector(".examples button").click()`)
	p.until(`document.querySelector("#sql td")?.textContent.length > 0 && !document.querySelector("#sql button.main").disabled`)
	p.shoot("sql")
	p.do(`document.querySelector("#statement").value = "DROP TABLE events_raw", document.querySelector("#sql button.main").click()`)
	p.until(`document.querySelector("#sql .banner")?.textContent.includes("only statements that read")`)

	p.do(`location.hash = "issues"`)
	p.until(`document.querySelector("#issues [data-issue] button") !== null`)
	p.shoot("issues")
	p.do(`document.querySelector("#issues [data-issue] button").click()`)
	p.until(`location.hash === "#sql" && document.querySelector("#statement").value.includes("issue_id") && document.querySelector("#sql td") !== null`)
}

// phone looks at each view as wide as a small phone, in both colours.
func (p consolePage) phone() {
	p.t.Helper()
	for _, view := range []string{"events", "issues", "sql", "charts"} {
		p.do(`location.hash = "` + view + `"`)
		p.until(`!document.getElementById("` + view + `").hidden`)
		p.size(360, 780)
		p.shoot("phone-" + view)
	}
	seen := map[string]bool{}
	for range 3 {
		seen[eval[string](p, `getComputedStyle(document.body).backgroundColor`)] = true
		p.do(`document.getElementById("theme").click()`)
	}
	require.Len(p.t, seen, 2, "light and dark")
	p.size(1280, 900)
}

// kafkaAway stops Kafka under a gateway that takes events.
func (p consolePage) kafkaAway(t *testing.T, kafka *kfake.Cluster, d *runningDev) {
	t.Helper()
	require.Zero(t, eval[int](p, `document.querySelectorAll("#banner > *").length`))
	kafka.Close()
	require.Equal(t, 503, d.post(t, "dev-key", `{"message":"while Kafka is away"}`))
	p.until(`document.querySelector("#banner .critical")?.textContent.includes("Kafka does not take everything")`)
	p.until(`document.getElementById("banner").textContent.includes("Senders were answered 503 for 1 event and send again.")`)
	p.until(`document.querySelector("[data-total=refused]").value === "2"`)
	p.until(`[...document.querySelectorAll("#gateway .chart:not([hidden]) h3")].some(h => h.textContent === "Failed requests to Kafka")`)
	p.shoot("kafka-away")
}
