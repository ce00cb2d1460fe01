package backfill

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	one = `{"message":"one"}`
	two = `{"message":"two, \"[{","list":[1,{"a":"]"}]}`
)

// TestForms: what people put into files, and how many events and bad lines it has.
func TestForms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text           string
		accepted, bad  int64
		lines          int64
		firstBadLine   int
		message        string // of an error that ends the import
		doneRegardless bool
	}{
		"lines":                    {text: one + "\n" + two + "\n", accepted: 2, lines: 2},
		"no newline at the end":    {text: one + "\n" + two, accepted: 2, lines: 2},
		"CRLF":                     {text: one + "\r\n" + two + "\r\n", accepted: 2, lines: 2},
		"byte order mark":          {text: "\xef\xbb\xbf" + one + "\n", accepted: 1, lines: 1},
		"blank lines":              {text: "\n\n  \r\n" + one + "\n\n" + two + "\n\n", accepted: 2, lines: 6},
		"empty":                    {text: ""},
		"only blank lines":         {text: "\n\n \n"},
		"bad among good":           {text: one + "\nnonsense\n" + two + "\n{\"level\":\"info\"}\n", accepted: 2, bad: 2, lines: 4, firstBadLine: 2},
		"cut off":                  {text: one + "\n{\"message\":\"tw", accepted: 1, bad: 1, lines: 2, firstBadLine: 2},
		"two on a line":            {text: one + one + "\n", bad: 1, lines: 1, firstBadLine: 1},
		"bad UTF-8":                {text: one + "\n{\"message\":\"\xff\"}\n", accepted: 1, bad: 1, lines: 2, firstBadLine: 2},
		"array":                    {text: "[" + one + "," + two + "]", accepted: 2, lines: 2},
		"array on lines":           {text: " [\n  " + one + ",\n {\n\"message\":\n\"three\"}\n , " + two + "\n]\n", accepted: 3, lines: 3},
		"empty array":              {text: " [ ]\n"},
		"array with others":        {text: "[" + one + ",1,null,\"x\"," + two + "]", accepted: 2, bad: 3, lines: 5, firstBadLine: 2},
		"array with a bad element": {text: "[" + one + ",{\"message\":\"x\" \"y\"}," + two + "]", accepted: 2, bad: 1, lines: 3, firstBadLine: 2},
		"array that ends early":    {text: "[" + one + "," + two, accepted: 1, lines: 1, message: "the JSON array ends early"},
		"array without a comma":    {text: "[" + one + " " + two + "]", bad: 1, lines: 1, firstBadLine: 1},
		"after the array":          {text: "[" + one + "] {}", accepted: 1, lines: 1, message: "more after the end"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for kind, pack := range packers(t) {
				j := newJob(t, pack(c.text))
				r := j.run(t)
				if c.message != "" {
					require.ErrorContains(t, r.err, c.message, kind)
				} else {
					require.NoError(t, r.err, kind)
				}
				f := r.report.Files[0]
				assert.Equal(t, counts{Accepted: c.accepted, Rejected: c.bad}, f.counts, kind)
				assert.Equal(t, c.lines, f.Lines, kind)
				assert.Len(t, j.gateway.kept(), int(c.accepted), kind)
				assert.Equal(t, c.bad == 0 && c.message == "", r.report.Passed, kind)
				if c.bad > 0 {
					assert.Contains(t, r.out, fmt.Sprintf("line %d: ", c.firstBadLine), kind)
				}
			}
		})
	}
}

func packers(t *testing.T) map[string]func(string) string {
	t.Helper()
	return map[string]func(string) string{
		"plain": func(s string) string { return s },
		"gzip":  gzipped,
		"gzip of two members": func(s string) string {
			return gzipped(s[:len(s)/2]) + gzipped(s[len(s)/2:])
		},
		"zstd": func(s string) string {
			z, err := zstd.NewWriter(nil)
			require.NoError(t, err)
			return string(z.EncodeAll([]byte(s), nil))
		},
	}
}

func gzipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(s))
	_ = z.Close()
	return b.String()
}

// TestNotText: files that are something else say what to do, and nothing is sent.
func TestNotText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"\x7fELF\x00\x00":              "binary",
		"BZh91AY&SY":                   "bzip2 -dc",
		"\xfd7zXZ\x00":                 "xz -dc",
		"PK\x03\x04....":               "unzip -p",
		"PAR1":                         "Parquet",
		"\xff\xfe{\x00":                "UTF-16",
		"\x1f\x8bnonsense":             "gzip",
		gzipped("\x00\x01"):            "binary",
		"\x28\xb5\x2f\xfdnonsense....": "cannot be read",
	} {
		j := newJob(t, text)
		r := j.run(t)
		require.ErrorContains(t, r.err, want)
		assert.Zero(t, j.gateway.count())
		_, err := os.Stat(j.path + stateSuffix)
		assert.ErrorIs(t, err, os.ErrNotExist)
	}
	j := newJob(t, "")
	j.cfg.From = []string{t.TempDir()}
	require.ErrorContains(t, j.run(t).err, "is a directory")
	j.cfg.From = []string{j.path + "x"}
	require.ErrorContains(t, j.run(t).err, "no such file")
}

// TestTruncated: of compressed data that ends early, the whole lines are imported, and half a line is not.
func TestTruncated(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&text, "{\"message\":\"%d\",\"x\":\"%x\"}\n", i, i*i*7919)
	}
	packed := gzipped(text.String())
	j := newJob(t, packed[:len(packed)*2/3])
	j.target.Bulk = 500
	r := j.run(t)
	require.ErrorContains(t, r.err, "reading failed after line")
	f := r.report.Files[0]
	assert.Greater(t, f.Accepted, int64(1000))
	assert.Zero(t, f.Rejected, "no half line")
	assert.False(t, f.Done)

	j.write(t, packed)
	require.ErrorContains(t, j.run(t).err, "--restart", "the whole file is another file")
	j.cfg.Restart = true
	assert.EqualValues(t, 20_000, j.imported(t).Accepted)
	assert.Len(t, j.gateway.kept(), 20_000, "what was sent before has the same ids")
}

// TestLineLimit: the largest event passes, with an id and without, and a byte more does not.
func TestLineLimit(t *testing.T) {
	t.Parallel()
	for _, id := range []bool{true, false} {
		for size, accepted := range map[int]bool{limit - 1: true, limit: true, limit + 1: false, 3 * limit: false} {
			for _, form := range []string{"%s\n" + one + "\n", "[%s," + one + "]", "   %s\r\n" + one} {
				j := newJob(t, fmt.Sprintf(form, sized(size, id)))
				f := j.imported(t)
				if accepted {
					assert.Equal(t, counts{Accepted: 2}, f.counts, "%d %t %q", size, id, form)
					continue
				}
				assert.Equal(t, counts{Accepted: 1, Rejected: 1}, f.counts, "%d %t %q", size, id, form)
				assert.Contains(t, f.Examples[0], "1048576")
			}
		}
	}
}
