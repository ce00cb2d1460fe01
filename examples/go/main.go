// Command go sends a bulk of events with Go's standard library, and sends again what the gateway could not take yet.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Event has the fields that this program fills. The gateway knows more.
type Event struct {
	ID      string            `json:"event_id"`
	Message string            `json:"message"`
	Level   string            `json:"level,omitempty"`
	Tags    map[string]string `json:"tags,omitempty"`
}

// Answer is the gateway's answer to a bulk.
type Answer struct {
	Accepted int `json:"accepted"`
	Errors   []struct {
		Index     int    `json:"index"`
		Error     string `json:"error"`
		Retryable bool   `json:"retryable"`
	} `json:"errors"`
	// Retry are the ranges of events to send again, first and last.
	Retry [][2]int `json:"retry"`
}

const attempts = 6

func main() {
	accepted, err := send([]Event{
		{ID: uuid.NewString(), Message: "first event from Go", Level: "info"},
		{ID: uuid.NewString(), Message: "second event from Go", Tags: map[string]string{"region": "eu"}},
	})
	fmt.Println("accepted:", accepted)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// send sends events and returns how many were accepted. An event that is sent again is stored once: its id stays the
// same.
func send(events []Event) (accepted int, err error) {
	for attempt := range attempts {
		wait := min(30*time.Second, time.Second<<attempt)
		res, answer, err := post(events) //nolint:bodyclose // post closes it
		switch {
		case err != nil:
			fmt.Println("not sent:", err)
		case res.StatusCode != 202 && res.StatusCode != 429 && res.StatusCode != 503:
			return accepted, fmt.Errorf("the gateway refused the bulk: %s", res.Status)
		default:
			accepted += answer.Accepted
			for _, e := range answer.Errors {
				if !e.Retryable {
					fmt.Println("refused:", events[e.Index].ID, e.Error)
				}
			}
			if res.StatusCode == 202 && len(answer.Retry) == 0 {
				return accepted, nil
			}
			events = again(events, answer.Retry)
			if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
				wait = time.Duration(seconds) * time.Second
			}
		}
		fmt.Printf("%d events again in %v\n", len(events), wait)
		time.Sleep(wait)
	}
	return accepted, fmt.Errorf("%d events were not sent in %d attempts", len(events), attempts)
}

// again returns the events in some ranges, or all of them if there are no ranges.
func again(events []Event, ranges [][2]int) (some []Event) {
	if len(ranges) == 0 {
		return events
	}
	for _, r := range ranges {
		some = append(some, events[r[0]:r[1]+1]...)
	}
	return some
}

// post sends one bulk.
func post(events []Event) (*http.Response, Answer, error) {
	var body bytes.Buffer
	compressed := gzip.NewWriter(&body)
	if err := errors.Join(json.NewEncoder(compressed).Encode(events), compressed.Close()); err != nil {
		return nil, Answer{}, err
	}
	url := setting("SLUICE_URL", "http://127.0.0.1:8080") + "/api/v1/events/bulk"
	req, err := http.NewRequest(http.MethodPost, url, &body)
	if err != nil {
		return nil, Answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+setting("SLUICE_KEY", "dev-key"))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Content-Encoding", "gzip")
	res, err := (&http.Client{Timeout: 30 * time.Second}).Do(req)
	if err != nil {
		return nil, Answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	var answer Answer
	err = json.NewDecoder(res.Body).Decode(&answer)
	return res, answer, err
}

func setting(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}
