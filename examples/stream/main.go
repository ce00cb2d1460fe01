// Command stream sends events over one WebSocket connection and sends again what the gateway has not answered, over
// another connection where the first one ended.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/google/uuid"
)

// Event has the fields that this program fills. The gateway knows more.
type Event struct {
	ID      string `json:"event_id"`
	Message string `json:"message"`
	Level   string `json:"level,omitempty"`
}

// Answer is the gateway's answer to one message.
type Answer struct {
	Seq        int    `json:"seq"` // the number of the message on the connection, from 1 up
	Status     int    `json:"http_status"`
	RetryAfter int    `json:"retry_after"` // seconds; 0: none
	Error      string `json:"error"`
	Retryable  bool   `json:"retryable"`
}

const (
	attempts = 6
	patience = 30 * time.Second // for an answer
)

func main() {
	events := make([]Event, 100)
	for i := range events {
		events[i] = Event{ID: uuid.NewString(), Message: fmt.Sprintf("event %d from a stream", i), Level: "info"}
	}
	kept, err := send(events)
	fmt.Println("accepted:", kept)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// send sends events and returns how many were kept. An event that is sent again is stored once: its id stays the same.
func send(events []Event) (kept int, err error) {
	for attempt := range attempts {
		n, rest, wait, err := sendOnce(events)
		kept, events = kept+n, rest
		if len(events) == 0 {
			return kept, nil
		}
		if wait == 0 {
			wait = min(30*time.Second, time.Second<<attempt)
		}
		fmt.Printf("%d events again in %v: %v\n", len(events), wait, err)
		time.Sleep(wait)
	}
	return kept, fmt.Errorf("%d events were not sent in %d attempts", len(events), attempts)
}

// sendOnce sends events over one connection. It returns how many were kept, those to send again, and how long the
// gateway asked to wait.
func sendOnce(events []Event) (kept int, again []Event, wait time.Duration, err error) {
	url := "ws" + strings.TrimPrefix(setting("SLUICE_URL", "http://127.0.0.1:8080"), "http") + "/api/v1/stream"
	header := http.Header{"Authorization": {"Bearer " + setting("SLUICE_KEY", "dev-key")}}
	conn, res, err := websocket.DefaultDialer.Dial(url, header) //nolint:bodyclose // the dialer has read the body
	if err != nil {
		if res != nil && res.StatusCode != http.StatusTooManyRequests && res.StatusCode != http.StatusServiceUnavailable {
			return 0, events, 0, fmt.Errorf("the gateway refused the connection: %s", res.Status)
		}
		return 0, events, 0, err
	}
	defer func() { _ = conn.Close() }()

	// The gateway reads as fast as it can keep events, so one goroutine may write while this one reads.
	written := make(chan error, 1)
	go func() {
		var failed error
		for i := 0; i < len(events) && failed == nil; i++ {
			failed = conn.WriteJSON(events[i])
		}
		written <- failed
	}()
	answered := make([]bool, len(events))
	for range events {
		var text []byte
		var a Answer
		if err = conn.SetReadDeadline(time.Now().Add(patience)); err == nil {
			_, text, err = conn.ReadMessage()
		}
		if err == nil {
			err = json.Unmarshal(text, &a)
		}
		if err != nil {
			break
		}
		i := a.Seq - 1
		answered[i] = true
		switch {
		case a.Status == http.StatusAccepted:
			kept++
		case a.Retryable:
			again = append(again, events[i])
			wait = max(wait, time.Duration(a.RetryAfter)*time.Second)
		default:
			fmt.Println("refused:", events[i].ID, a.Error)
		}
	}
	for i, done := range answered {
		if !done { // it may have been kept
			again = append(again, events[i])
		}
	}
	return kept, again, wait, errors.Join(err, conn.Close(), <-written)
}

func setting(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}
