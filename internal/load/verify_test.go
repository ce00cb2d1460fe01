package load

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// Each fault of a pipeline fails the run under its own name.
func TestNegativeControls(t *testing.T) {
	change := func(fn func(*row)) func([]row) []row {
		return func(rows []row) []row {
			if len(rows) > 7 {
				fn(&rows[7])
			}
			return rows
		}
	}
	for name, c := range map[string]struct {
		alter func([]row) []row
		want  Verification
	}{
		"one lost":         {func(r []row) []row { return r[:max(len(r)-1, 0)] }, Verification{Missing: 1}},
		"all lost":         {func([]row) []row { return nil }, Verification{Missing: 300}},
		"doubled":          {func(r []row) []row { return append(r, r[:min(len(r), 3)]...) }, Verification{Doubled: 3}},
		"tripled":          {func(r []row) []row { r = append(r, r[:min(len(r), 1)]...); return append(r, r[:min(len(r), 1)]...) }, Verification{Doubled: 1}},
		"lost and doubled": {func(r []row) []row { copy(r, r[min(len(r), 1):min(len(r), 2)]); return r }, Verification{Missing: 1, Doubled: 1}},
		"two bodies swapped": {func(r []row) []row {
			if len(r) > 1 {
				r[0].payload, r[1].payload = r[1].payload, r[0].payload
			}
			return r
		}, Verification{Altered: 2}},
		"written again": {change(func(r *row) {
			var v any
			_ = json.Unmarshal([]byte(r.payload), &v)
			b, _ := json.Marshal(v)
			r.payload = string(b)
		}), Verification{Altered: 1}},
		"a byte short":       {change(func(r *row) { r.payload = r.payload[:len(r.payload)-1] }), Verification{Altered: 1}},
		"empty":              {change(func(r *row) { r.payload = "" }), Verification{Altered: 1}},
		"message":            {change(func(r *row) { r.message += " " }), Verification{Altered: 1}},
		"level":              {change(func(r *row) { r.level = "none" }), Verification{Altered: 1}},
		"environment":        {change(func(r *row) { r.environment = "moon" }), Verification{Altered: 1}},
		"timestamp":          {change(func(r *row) { r.millis++ }), Verification{Altered: 1}},
		"other project":      {change(func(r *row) { r.project = "other" }), Verification{Altered: 1}},
		"id of nobody":       {change(func(r *row) { r.id = uuid.UUID{1} }), Verification{Missing: 1, Foreign: 1}},
		"one more":           {func(r []row) []row { return append(r, row{id: uuid.New()}) }, Verification{Foreign: 1}},
		"adjusted timestamp": {change(func(r *row) { r.millis++; r.adjusted = true }), Verification{}},
	} {
		t.Run(name, func(t *testing.T) {
			scenario{cfg: Config{Events: 300, Bulk: 10, EventSize: 700, Verify: true}, alter: c.alter}.run(t, func(t *testing.T, r result) {
				if r.err != nil {
					t.Fatal(r.err)
				}
				v := r.report.Verify
				got := Verification{Missing: v.Missing, Doubled: v.Doubled, Altered: v.Altered, Foreign: v.Foreign}
				if got.Missing != c.want.Missing || got.Doubled != c.want.Doubled || got.Altered != c.want.Altered || got.Foreign != c.want.Foreign {
					t.Errorf("got %+v, want %+v:\n%s", got, c.want, r.out)
				}
				broken := c.want.Missing+c.want.Doubled+c.want.Altered+c.want.Foreign > 0
				if r.report.OK() == broken || r.report.Passed != r.report.OK() || broken != strings.Contains(r.out, "\nFAILED: ") {
					t.Errorf("OK is %t:\n%s", r.report.OK(), r.out)
				}
				if broken && (len(v.Examples) == 0 || len(v.Examples) > 2*maxExamples) {
					t.Errorf("%d examples", len(v.Examples))
				}
			})
		})
	}
}

// A gateway that answers 4xx or 429 and stores the event is a fault as well.
func TestKeptAlthoughRefused(t *testing.T) {
	t.Run("rejected", func(t *testing.T) {
		s := scenario{cfg: Config{Events: 10, Connections: 1, Verify: true}, setUp: func(g *gateway) {
			g.fault = func(n int, w http.ResponseWriter, _ *http.Request, events []json.RawMessage) bool {
				if n == 4 {
					g.keep(events)
					refuse(w, 413, 0)
				}
				return n == 4
			}
		}}
		s.run(t, func(t *testing.T, r result) {
			if v := r.report.Verify; v.RejectedStored != 1 || r.report.OK() {
				t.Errorf("%+v", v)
			}
		})
	})
	t.Run("rate limited", func(t *testing.T) {
		s := scenario{cfg: Config{Events: 10, Connections: 1, GiveUp: time.Second, Verify: true}, setUp: func(g *gateway) {
			g.fault = func(n int, w http.ResponseWriter, _ *http.Request, events []json.RawMessage) bool {
				if n >= 4 {
					g.keep(events)
					refuse(w, 429, 2)
				}
				return n >= 4
			}
		}}
		s.run(t, func(t *testing.T, r result) {
			if v := r.report.Verify; v.Foreign != 1 || r.report.OK() {
				t.Errorf("%+v", v)
			}
		})
	})
}

func TestAmbiguousMayBeStored(t *testing.T) {
	s := scenario{cfg: Config{Events: 10, Connections: 1, GiveUp: time.Second, Verify: true}, setUp: func(g *gateway) {
		g.fault = func(n int, w http.ResponseWriter, _ *http.Request, events []json.RawMessage) bool {
			if n >= 4 {
				g.keep(events)
				refuse(w, 503, 2)
			}
			return n >= 4
		}
	}}
	s.run(t, func(t *testing.T, r result) {
		if v := r.report.Verify; v.AmbiguousStored != 1 || v.Foreign != 0 || v.Missing != 0 || r.report.Unacknowledged != 1 {
			t.Errorf("%+v", r.report)
		}
	})
}

// arriving shows the rows one after the other, one per interval.
func arriving(every time.Duration, most int) func([]row) []row {
	var start time.Time
	return func(r []row) []row {
		if len(r) == 0 {
			return r
		}
		if start.IsZero() {
			start = time.Now()
		}
		return r[:min(len(r), most, int(time.Since(start)/every))]
	}
}

func TestWaitsAsLongAsRowsCome(t *testing.T) {
	scenario{cfg: Config{Events: 30, Verify: true}, alter: arriving(50*time.Second, 30)}.run(t, func(t *testing.T, r result) {
		r.mustPass(t)
		if s := r.report.Verify.Seconds; s < 1500 || s > 1510 {
			t.Errorf("took %.0f s", s)
		}
	})
	scenario{cfg: Config{Events: 30, Verify: true}, alter: arriving(50*time.Second, 20)}.run(t, func(t *testing.T, r result) {
		if v := r.report.Verify; v.Missing != 10 || v.Stored != 20 || v.Seconds > 1066 {
			t.Errorf("%+v", v)
		}
	})
}

// The verifier sees a second row from a late copy, even after all rows were there.
func TestWaitsForLateCopies(t *testing.T) {
	var complete time.Time
	late := func(r []row) []row {
		if len(r) < 30 {
			return r
		}
		if complete.IsZero() {
			complete = time.Now()
		}
		if time.Since(complete) > 2*time.Second {
			r = append(r, r[4])
		}
		return r
	}
	scenario{cfg: Config{Events: 30, Verify: true}, alter: late}.run(t, func(t *testing.T, r result) {
		if r.report.Verify.Doubled != 1 {
			t.Errorf("%+v", r.report.Verify)
		}
	})
}

func TestStoreThatFails(t *testing.T) {
	asked := 0
	once := func() error {
		if asked++; asked > 1 && asked < 8 {
			return errors.New("away")
		}
		return nil
	}
	scenario{cfg: Config{Events: 30, Verify: true}, broken: once}.run(t, func(t *testing.T, r result) { r.mustPass(t) })

	forever := 0
	gone := func() error {
		if forever++; forever > 1 {
			return errors.New("away")
		}
		return nil
	}
	scenario{cfg: Config{Events: 30, Verify: true}, broken: gone}.run(t, func(t *testing.T, r result) {
		if r.err != nil || r.report.OK() || r.report.Verify.Error != "away" {
			t.Errorf("error %v, %+v", r.err, r.report.Verify)
		}
	})
}
