package load

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The meaning of each answer to a bulk of five. a: acknowledged, r: rejected, m: maybe stored, -: certainly not stored.
// again lists the positions to send again. violation is a part of the text about the breach.
func TestJudgeBulk(t *testing.T) {
	accept := `{"status":"accepted","accepted":5,"duplicates":0,"rejected":0,"errors":[],"retry":[]}`
	for name, c := range map[string]struct {
		status    int
		body      string
		headers   string // accepted/rejected
		marks     string
		again     []int
		violation string
	}{
		"all":            {202, accept, "5/0", "aaaaa", nil, ""},
		"bare":           {202, `{"accepted":5}`, "5/0", "aaaaa", nil, ""},
		"some final":     {202, `{"accepted":4,"rejected":1,"errors":[{"index":2,"code":"invalid_event"}]}`, "4/1", "aaraa", nil, ""},
		"retry":          {202, `{"accepted":3,"rejected":2,"errors":[{"index":3,"retryable":true},{"index":4,"retryable":true}],"retry":[[3,4]]}`, "3/2", "aaamm", []int{3, 4}, ""},
		"both":           {202, `{"accepted":3,"rejected":2,"errors":[{"index":0},{"index":4,"retryable":true}],"retry":[[4,4]]}`, "3/2", "raaam", []int{4}, ""},
		"too few":        {202, `{"accepted":4,"rejected":0}`, "4/0", "mmmmm", nil, "is not the 5 events"},
		"too many":       {202, `{"accepted":6,"rejected":0}`, "6/0", "mmmmm", nil, "is not the 5 events"},
		"negative":       {202, `{"accepted":6,"rejected":-1}`, "6/-1", "mmmmm", nil, "is not the 5 events"},
		"header differs": {202, accept, "4/1", "mmmmm", nil, "X-Accepted-Events"},
		"no header":      {202, accept, "/", "mmmmm", nil, "X-Accepted-Events"},
		"duplicates":     {202, `{"accepted":4,"duplicates":1,"rejected":0}`, "4/0", "mmmmm", nil, "duplicates"},
		"range outside":  {202, `{"accepted":4,"rejected":1,"errors":[{"index":4,"retryable":true}],"retry":[[4,5]]}`, "4/1", "mmmmm", nil, "retry range"},
		"overlapping":    {202, `{"accepted":2,"rejected":3,"errors":[{"index":1},{"index":2},{"index":3}],"retry":[[1,2],[2,3]]}`, "2/3", "mmmmm", nil, "retry range"},
		"more to retry":  {202, `{"accepted":4,"rejected":1,"errors":[{"index":1,"retryable":true}],"retry":[[1,2]]}`, "4/1", "mmmmm", nil, "only 1 rejected"},
		"errors short":   {202, `{"accepted":3,"rejected":2,"errors":[{"index":1}]}`, "3/2", "mmmmm", nil, "1 errors listed"},
		"errors outside": {202, `{"accepted":4,"rejected":1,"errors":[{"index":5}]}`, "4/1", "mmmmm", nil, "error index 5"},
		"contradiction":  {202, `{"accepted":4,"rejected":1,"errors":[{"index":1,"retryable":true}]}`, "4/1", "mmmmm", nil, "retry ranges say otherwise"},
		"not JSON":       {202, `ok`, "5/0", "mmmmm", nil, "no counts"},
		"another 2xx":    {200, accept, "5/0", "mmmmm", nil, "status 200"},
		"redirect":       {302, ``, "/", "mmmmm", nil, "status 302"},
		"503":            {503, `{"error":"x","code":"unavailable"}`, "/", "mmmmm", []int{0, 1, 2, 3, 4}, ""},
		"408":            {408, ``, "/", "mmmmm", []int{0, 1, 2, 3, 4}, ""},
		"502 of a proxy": {502, `<html>`, "/", "mmmmm", []int{0, 1, 2, 3, 4}, ""},
		"429":            {429, `{"error":"x","code":"rate_limited"}`, "/", "-----", []int{0, 1, 2, 3, 4}, ""},
		"429, one final": {429, `{"accepted":0,"rejected":5,"errors":[{"index":0},{"index":1,"retryable":true},{"index":2,"retryable":true},{"index":3,"retryable":true},{"index":4,"retryable":true}],"retry":[[1,4]]}`, "/", "r----", []int{1, 2, 3, 4}, ""},
		"503, kept":      {503, `{"accepted":1,"rejected":4,"errors":[{"index":1,"retryable":true},{"index":2,"retryable":true},{"index":3,"retryable":true},{"index":4,"retryable":true}],"retry":[[1,4]]}`, "/", "mmmmm", nil, "although 1 events were accepted"},
		"400":            {400, `{"error":"x","code":"malformed"}`, "/", "rrrrr", nil, ""},
		"413":            {413, ``, "/", "rrrrr", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			accepted, rejects, _ := strings.Cut(c.headers, "/")
			var o outcome
			g := newGenerator(1, time.Now(), 200)
			judge(&o, g, []int64{0, 1, 2, 3, 4}, true, reply{status: c.status, body: []byte(c.body), retryAfter: time.Second, accepted: accepted, rejected: rejects})
			if got := letters(o.marks); got != c.marks {
				t.Errorf("marks %s, want %s", got, c.marks)
			}
			if len(o.again) != len(c.again) || len(c.again) > 0 && o.again[0] != c.again[0] {
				t.Errorf("again %v, want %v", o.again, c.again)
			}
			if c.violation == "" && o.violation != "" || !strings.Contains(o.violation, c.violation) {
				t.Errorf("violation %q, want %q", o.violation, c.violation)
			}
		})
	}
}

// With more than a hundred final refusals, the answer does not tell which other events are stored.
func TestJudgeBulkWithMoreErrorsThanListed(t *testing.T) {
	var list []string
	indexes := make([]int64, 300)
	for i := range indexes {
		indexes[i] = int64(i)
		if i < maxListed {
			list = append(list, fmt.Sprintf(`{"index":%d}`, i))
		}
	}
	body := `{"accepted":150,"rejected":150,"errors":[` + strings.Join(list, ",") + `]}`
	var o outcome
	judge(&o, newGenerator(1, time.Now(), 200), indexes, true, reply{status: 202, body: []byte(body), accepted: "150", rejected: "150"})
	if got := letters(o.marks); got != strings.Repeat("r", 100)+strings.Repeat("m", 200) || o.violation != "" {
		t.Errorf("marks %s, violation %q", got, o.violation)
	}
}

func TestJudgeSingle(t *testing.T) {
	g := newGenerator(1, time.Now(), 200)
	id := g.id(7).String()
	for name, c := range map[string]struct {
		status int
		body   string
		marks  string
	}{
		"usual":      {202, `{"status":"accepted","event_id":"` + id + `"}`, "a"},
		"more":       {202, `{ "status":"accepted", "new":1, "event_id":"` + strings.ToUpper(id) + `"}`, "a"},
		"another id": {202, `{"status":"accepted","event_id":"` + g.id(8).String() + `"}`, "m"},
		"no id":      {202, `{"status":"accepted"}`, "m"},
		"no body":    {202, ``, "m"},
		"429":        {429, ``, "-"},
		"500":        {500, ``, "m"},
		"415":        {415, ``, "r"},
	} {
		var o outcome
		judge(&o, g, []int64{7}, false, reply{status: c.status, body: []byte(c.body)})
		if got := letters(o.marks); got != c.marks {
			t.Errorf("%s: %s, want %s (%s)", name, got, c.marks, o.violation)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{"": 0, "0": 0, "60": time.Minute, "-1": 0, "1.5": 0, "Fri, 31 Dec 1999 23:59:59 GMT": 0} {
		if got := retryAfter([]byte(value)); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
	var g gate
	g.hold(1 << 40 * time.Nanosecond * 1000)
	if left := time.Until(g.opens); left > maxPause {
		t.Errorf("a pause of %v", left)
	}
}

func letters(marks []mark) string {
	names := map[mark]byte{acknowledged: 'a', rejected: 'r', maybe: 'm', 0: '-'}
	var b strings.Builder
	for _, m := range marks {
		b.WriteByte(names[m])
	}
	return b.String()
}
