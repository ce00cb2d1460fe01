package e2e

import (
	"strings"
	"testing"
)

// A custom column answers in sluice.events for events that were sent before it and after it: before its backfill, after
// it, and after migrations. Odd values hold up neither their rows nor others. A consumer that was started before the
// column fills it. After its removal the view has the events without it.
func TestCustomColumn(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 2)
	p.startGateway("127.0.0.1:0")
	p.startConsumer()
	send := func(plans ...string) {
		t.Helper()
		for _, plan := range plans {
			if a := p.post("/api/v1/events", "application/json", `{"message":"m","contexts":{"account":{"plan":`+plan+`}}}`); a.status != 202 {
				t.Fatalf("%s: %+v", plan, a)
			}
		}
	}
	columns := func(want int, said string, args ...string) {
		t.Helper()
		code, out := runs(t, "consumer", append([]string{"columns", args[0], "--clickhouse-dsn", p.dsn}, args[1:]...)...)
		if code != want || !strings.Contains(out, said) {
			t.Fatalf("columns %v: %d, want %d and %q:\n%s", args, code, want, said, out)
		}
	}
	answers := func(condition string, want uint64) {
		t.Helper()
		p.eventually(condition, func() bool { return p.scalar("SELECT count() FROM events WHERE "+condition) == want })
	}
	send(`"pro"`, `"free"`, `"pro"`)
	answers("1", 3)
	columns(1, "unknown type", "add", "plan", "Text", "from", "contexts.account.plan")
	columns(1, "kept for a column of Sluice", "add", "level", "String", "from", "contexts.account.plan")
	columns(0, "MATERIALIZE COLUMN", "add", "plan", "LowCardinality(String)", "from", "contexts.account.plan", "--dry-run")
	columns(0, "no custom columns", "list")
	columns(0, "3 of 3 events", "add", "plan", "LowCardinality(String)", "from", "contexts.account.plan", "--no-backfill")
	columns(0, "contexts.account.plan", "list")
	answers("plan = 'pro'", 2)
	send(`"pro"`, `null`, `7`, `["a",{"b":null}]`, `{"plan":"x"}`, `123456789012345678901234567890`, `1e400`, `"\u0070ro"`)
	answers("1", 11)
	answers("plan = 'pro'", 4)
	answers("plan = '7'", 1)
	answers("plan = ''", 3)
	columns(0, "backfilled ", "backfill", "plan")
	columns(0, `"path":"contexts.account.plan"`, "list", "--json")
	answers("plan = 'pro'", 4)
	for range 2 {
		if code, out := p.migrate(); code != 0 || !strings.Contains(out, "schema is up to date") {
			t.Fatalf("migrate: %d\n%s", code, out)
		}
	}
	answers("plan = 'pro'", 4)
	columns(0, "removed the column plan", "remove", "plan")
	columns(1, `no custom column "plan"`, "remove", "plan")
	send(`"pro"`)
	answers("1", 12)
	if n := p.scalar("SELECT count() FROM system.columns WHERE database = currentDatabase() AND name = 'plan'"); n != 0 {
		t.Errorf("%d columns are left", n)
	}
}
