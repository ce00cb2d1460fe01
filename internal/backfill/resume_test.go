package backfill

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func lines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"message\":\"line %d\"}\n", i+1)
	}
	return b.String()
}

// TestContinues: an import that ends in the middle continues there, in every form, and each bad line is reported once.
func TestContinues(t *testing.T) {
	t.Parallel()
	text := strings.Replace(lines(1000), `{"message":"line 42"}`, "bad", 1)
	text = strings.Replace(text, `{"message":"line 900"}`, "bad", 1)
	text = strings.Replace(text, `{"message":"line 301"}`, `{"event_id":null,"message":"line 301"}`, 1)
	array := "[" + strings.ReplaceAll(strings.TrimSpace(text), "\n", ",\n") + "]"
	for form, content := range map[string]string{"lines": text, "array": array} {
		for kind, pack := range packers(t) {
			j := newJob(t, pack(content))
			j.cfg.Rejects = j.path + ".rejects"
			j.target.GiveUp = time.Nanosecond
			stop := 0
			j.gateway.answer = func(n int, w http.ResponseWriter, events []json.RawMessage) bool {
				if n < stop {
					return false
				}
				if n%2 == 0 { // kept, and the answer is lost
					j.gateway.keep("", events)
				}
				panic(http.ErrAbortHandler)
			}
			for stop = 20; ; j.gateway.locked(func() { stop = j.gateway.requests + 20 }) {
				r := j.run(t)
				if r.err == nil {
					break
				}
				require.ErrorContains(t, r.err, "run the same command again", "%s %s", form, kind)
				if stop > 30 {
					assert.Contains(t, r.progress, "continues after line")
				}
				// What a killed run wrote after its last progress.
				f, err := os.OpenFile(j.cfg.Rejects, os.O_APPEND|os.O_WRONLY, 0)
				require.NoError(t, err)
				_, _ = f.WriteString("{\"half")
				require.NoError(t, f.Close())
			}
			distinct := map[string]bool{}
			for _, raw := range j.gateway.kept() {
				var e struct{ Message string }
				require.NoError(t, json.Unmarshal([]byte(raw), &e))
				distinct[e.Message] = true
			}
			assert.Len(t, distinct, 998, "%s %s", form, kind)
			assert.Len(t, j.gateway.kept(), 998, "%s %s: one id each", form, kind)
			rejected, err := os.ReadFile(j.cfg.Rejects)
			require.NoError(t, err)
			assert.Equal(t, 2, bytes.Count(rejected, []byte("\n")))
			var first Reject
			require.NoError(t, json.Unmarshal(rejected[:bytes.IndexByte(rejected, '\n')], &first))
			assert.Equal(t, Reject{File: j.path, Line: 42, fault: first.fault, Raw: "bad"}, first)
			assert.Equal(t, "malformed", first.Code)

			r := j.run(t)
			require.NoError(t, r.err)
			assert.Contains(t, r.progress, "imported already")
			assert.False(t, r.report.Passed, "two lines are missing")
			assert.Equal(t, counts{Accepted: 998, Rejected: 2}, r.report.Files[0].counts)
		}
	}
}

// TestChangedInput: a file that is no longer the same is refused, until --restart.
func TestChangedInput(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(t *testing.T, j *job)
		want   string
	}{
		"grown":        {func(t *testing.T, j *job) { j.write(t, lines(60)) }, "begins differently"},
		"other":        {func(t *testing.T, j *job) { j.write(t, strings.Replace(lines(50), "line 1", "LINE 1", 1)) }, "begins differently"},
		"touched":      {func(t *testing.T, j *job) { require.NoError(t, os.Chtimes(j.path, time.Now(), time.Unix(1, 0))) }, "was changed"},
		"other key":    {func(_ *testing.T, j *job) { j.target.Key = "other" }, "another --url or --key"},
		"no state":     {func(t *testing.T, j *job) { overwrite(t, j, "x") }, "is not the progress of an import"},
		"newer state":  {func(t *testing.T, j *job) { overwrite(t, j, `{"version":2}`) }, "another version"},
		"empty state":  {func(t *testing.T, j *job) { overwrite(t, j, "") }, "is not the progress of an import"},
		"broken state": {func(t *testing.T, j *job) { overwrite(t, j, `{"version":1,"offset":-1}`) }, "is not the progress of an import"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, lines(50))
			j.imported(t)
			before := j.gateway.copies()
			c.change(t, j)
			require.ErrorContains(t, j.run(t).err, c.want)
			assert.Equal(t, before, j.gateway.copies(), "nothing was sent")
			j.cfg.Restart, j.target.Key = true, "k"
			assert.Positive(t, j.imported(t).Accepted)
		})
	}
	j := newJob(t, lines(5000))
	j.imported(t)
	j.write(t, lines(5001))
	require.ErrorContains(t, j.run(t).err, "bytes when its import began")
	j.cfg.Restart = true
	assert.EqualValues(t, 5001, j.imported(t).Accepted)
	assert.Len(t, j.gateway.kept(), 5001, "the lines that were there keep their ids")
}

func overwrite(t *testing.T, j *job, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(j.path+stateSuffix, []byte(text), 0o600))
}

// TestGrowsMeanwhile: a file that grows while it is read is not taken for imported.
func TestGrowsMeanwhile(t *testing.T) {
	t.Parallel()
	j := newJob(t, lines(50))
	j.gateway.answer = func(n int, _ http.ResponseWriter, _ []json.RawMessage) bool {
		if n == 1 {
			f, err := os.OpenFile(j.path, os.O_APPEND|os.O_WRONLY, 0)
			if err == nil {
				_, _ = f.WriteString(`{"message":"ha`)
				_ = f.Close()
			}
		}
		return false
	}
	r := j.run(t)
	require.ErrorContains(t, r.err, "changed while it was read")
	require.ErrorContains(t, j.run(t).err, "--restart")
}

// TestStandardInput: it continues with --state only, and after the same beginning.
func TestStandardInput(t *testing.T) {
	t.Parallel()
	j := newJob(t, "")
	j.cfg.From = []string{"-"}
	run := func(text string) (Report, error) {
		return New(j.cfg, j.target, strings.NewReader(text), io.Discard, io.Discard).Run(t.Context())
	}
	report, err := run(lines(30))
	require.NoError(t, err)
	assert.EqualValues(t, 30, report.Files[0].Accepted)
	j.cfg.State = j.path + ".state"
	j.target.Connections, j.target.GiveUp = 1, time.Nanosecond
	j.gateway.locked(func() { j.gateway.requests = 0 })
	j.gateway.answer = func(n int, _ http.ResponseWriter, _ []json.RawMessage) bool {
		if n > 2 {
			panic(http.ErrAbortHandler)
		}
		return false
	}
	_, err = run(lines(100))
	require.ErrorContains(t, err, "run the same command again")
	j.gateway.locked(func() { j.gateway.answer = nil })
	_, err = run(lines(90))
	require.ErrorContains(t, err, "begins differently")
	report, err = run(lines(100))
	require.NoError(t, err)
	assert.EqualValues(t, 20, report.Files[0].ResumedAt)
	assert.EqualValues(t, 100, report.Files[0].Accepted)
	assert.Len(t, j.gateway.kept(), 130)
}

// TestStopped: Ctrl-C keeps the progress and says how to go on.
func TestStopped(t *testing.T) {
	t.Parallel()
	j := newJob(t, lines(500))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	j.gateway.answer = func(n int, _ http.ResponseWriter, _ []json.RawMessage) bool {
		if n == 10 {
			cancel()
		}
		return false
	}
	_, err := New(j.cfg, j.target, nil, io.Discard, io.Discard).Run(ctx)
	require.ErrorIs(t, err, errContinue)
	j.gateway.locked(func() { j.gateway.answer = nil })
	f := j.imported(t)
	assert.Positive(t, f.ResumedAt)
	assert.Len(t, j.gateway.kept(), 500)
}

// TestNoProgressFile: if the progress cannot be kept, the import ends and says why.
func TestNoProgressFile(t *testing.T) {
	t.Parallel()
	j := newJob(t, lines(5))
	j.cfg.State = j.path + "/not/there"
	require.ErrorContains(t, j.run(t).err, "--state")
	j.cfg.State = ""
	j.cfg.Rejects = j.path + "/not/there"
	require.ErrorContains(t, j.run(t).err, "--rejects")
	j.cfg = Config{From: []string{"a", "a", ""}, State: "s"}
	err := j.run(t).err
	for _, want := range []string{"given 3 times", "given twice", "must not be empty"} {
		require.ErrorContains(t, err, want)
	}
	assert.NotErrorIs(t, err, errors.ErrUnsupported)
}
