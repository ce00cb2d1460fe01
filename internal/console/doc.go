// Package console is the web page on the gateway's admin port: charts of the gateway and the consumers for the last
// hour, what is wrong right now, and, in sluice dev, events, issues and SQL.
//
// [Console.Around] takes a sample every 5 s: it reads the registry of its own process and the admin ports of the
// consumers, and compares them with the sample before. All browsers read the same samples, so that they cost the
// gateway nothing but the answers. An hour of samples takes at most 0.7 MiB of memory (package series).
//
//	registry ───────▶┐              ┌▶ series.Store (an hour) ─┐
//	consumers ──▶ scrape ──▶ sample ┴▶ view (now) ─────────────┴▶ GET /console/data
//
// The page is in web, without a framework and without a build. It loads nothing from elsewhere, and the
// Content-Security-Policy keeps it so. Package explore has the queries of sluice dev.
//
// To add a chart, add its numbers to sample.go and its description to web/charts.js. To add a warning, see problems.go.
package console
