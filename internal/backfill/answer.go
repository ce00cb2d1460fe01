package backfill

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 16 << 20

// answer is the gateway's answer to a bulk.
type answer struct {
	status     int
	retryAfter time.Duration // 0: none
	text       string

	Accepted   *int64 `json:"accepted"`
	Duplicates int64  `json:"duplicates"`
	Rejected   int64  `json:"rejected"`
	Errors     []struct {
		Index     int  `json:"index"`
		Retryable bool `json:"retryable"`
		fault
	} `json:"errors"`
	Retry [][2]int `json:"retry"`

	fault // of a refused request
}

func readAnswer(status int, after string, text []byte) answer {
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		a = answer{}
	}
	a.status, a.retryAfter = status, retryAfter(after)
	const most = 200
	a.text = strings.ToValidUTF8(string(text[:min(len(text), most)]), "")
	return a
}

// explain returns the status and the gateway's reason.
func (a answer) explain() string {
	if a.fault == (fault{}) {
		return fmt.Sprintf("status %d %s", a.status, a.text)
	}
	return fmt.Sprintf("status %d %s", a.status, a.fault.String())
}

// errSplit: the answer refuses events without naming each. Smaller requests will show which.
var errSplit = errors.New("send in smaller requests")

// judge settles the events that the answer decides, and returns the others. It returns an error for answers that every
// other request would get too, because a setting is wrong.
func (s *sender) judge(b *batch, events []entry, a answer) (again []entry, err error) {
	if err := s.pointless(a); err != nil {
		return nil, err
	}
	if a.Accepted != nil {
		return a.counted(b, events)
	}
	switch {
	case a.status == 429, a.status == 408, a.status >= 500:
		return events, nil
	case a.status >= 400 && len(events) > 1:
		return nil, errSplit
	case a.status >= 400:
		f := a.fault
		if f == (fault{}) {
			f = fault{Code: fmt.Sprint(a.status), Error: a.text}
		}
		b.reject(events[0], &f)
		return nil, nil
	default:
		return nil, fmt.Errorf("%s does not answer like a gateway: %s", s.target.URL, a.explain())
	}
}

// counted settles events by the counts of an answer.
func (a answer) counted(b *batch, events []entry) (again []entry, err error) {
	n := int64(len(events))
	if *a.Accepted < 0 || a.Duplicates < 0 || a.Rejected < 0 || *a.Accepted+a.Duplicates+a.Rejected != n {
		return nil, fmt.Errorf("the gateway's counts contradict each other: %s", a.text)
	}
	for _, span := range a.Retry {
		if span[0] < 0 || span[1] < span[0] || span[1] >= len(events) {
			return nil, fmt.Errorf("the gateway asks for events that were not sent: %s", a.text)
		}
		again = append(again, events[span[0]:span[1]+1]...)
	}
	final := a.Rejected - int64(len(again))
	named := 0
	for _, e := range a.Errors {
		if !e.Retryable && e.Index >= 0 && e.Index < len(events) {
			named++
		}
	}
	if final != int64(named) && len(events) > 1 {
		return nil, errSplit // the answer names only the first hundred
	}
	for _, e := range a.Errors {
		if !e.Retryable && e.Index >= 0 && e.Index < len(events) {
			b.reject(events[e.Index], &e.fault)
		}
	}
	if final > 0 && named == 0 {
		b.reject(events[0], &fault{Code: fmt.Sprint(a.status), Error: a.text})
	}
	b.accepted += *a.Accepted
	b.duplicates += a.Duplicates
	return again, nil
}

func (b *batch) reject(e entry, f *fault) {
	b.rejects = append(b.rejects, newReject(b.file, item{number: e.number, data: e.data}, f))
}

// pointless returns an error for answers that every request gets.
func (s *sender) pointless(a answer) error {
	switch a.status {
	case 401:
		return fmt.Errorf("%s does not know this key (401): check --key", s.target.URL)
	case 403:
		return fmt.Errorf("%s refuses this key (403), its project may be disabled: %s", s.target.URL, a.explain())
	case 404, 405:
		return fmt.Errorf("no gateway at %s (status %d): check --url", s.target.URL, a.status)
	}
	return nil
}
