package canary

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
)

// SDKName is the sdk_name of canary events.
const SDKName = "sluice.canary"

// idEnd is the end of the ids of canary events.
const idEnd = "canary"

// newID returns the id of a canary event: a UUIDv7 whose last six bytes are fixed.
func newID() (uuid.UUID, error) {
	id, err := uuid.NewV7()
	copy(id[len(id)-len(idEnd):], idEnd)
	return id, err
}

// bodyOf is a canary event.
func bodyOf(id uuid.UUID) []byte {
	return []byte(`{"event_id":"` + id.String() + `","level":"debug","message":"sluice canary",` +
		`"fingerprint":["sluice-canary"],"sdk":{"name":"` + SDKName + `"},"tags":{"sluice_canary":"1"}}`)
}

// failure says why an event was not accepted. reason is one of the reasons of the metric of failures.
type failure struct {
	reason string
	err    error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// httpGateway sends events.
type httpGateway struct {
	url, key string
	client   *http.Client
}

func newGateway(cfg Config) *httpGateway {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, IdleConnTimeout: 10 * time.Minute}
	return &httpGateway{
		url: strings.TrimSuffix(cfg.URL, "/") + "/api/v1/events", key: cfg.Key,
		client: &http.Client{Transport: transport, Timeout: cfg.Timeout},
	}
}

func (g *httpGateway) close() { g.client.CloseIdleConnections() }

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 10

// send posts an event once. It returns nil only if the gateway accepted the event. Another error than a *failure is a
// fault of the settings.
func (g *httpGateway) send(ctx context.Context, id uuid.UUID) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url, bytes.NewReader(bodyOf(id)))
	if err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+g.key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := g.client.Do(req)
	if err != nil {
		return &failure{reasonUnreachable, err}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return &failure{reasonUnreachable, err}
	}
	var answer struct {
		Error string    `json:"error"`
		ID    uuid.UUID `json:"event_id"`
	}
	decoded := json.Unmarshal(body, &answer)
	switch {
	case resp.StatusCode == http.StatusAccepted && decoded == nil && answer.ID == id:
		return nil
	case resp.StatusCode == http.StatusAccepted:
		return &failure{reasonRefused, errors.New("the answer with status 202 does not name the event")}
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500:
		return &failure{reasonUnavailable, fmt.Errorf("status %d: %s", resp.StatusCode, answer.Error)}
	default:
		return &failure{reasonRefused, fmt.Errorf("status %d: %s", resp.StatusCode, answer.Error)}
	}
}
