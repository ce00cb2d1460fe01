package tracing

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"golang.org/x/net/http/httpguts"

	"sluice/internal/settings"
)

// Config says what is traced, and where the spans go.
type Config struct {
	Endpoint    string  `name:"trace-endpoint" placeholder:"URL" help:"OpenTelemetry collector that gets the traces, by OTLP over HTTP: http://collector:4318. A URL without a path gets /v1/traces. Without it nothing is traced."`
	Sample      float64 `name:"trace-sample" default:"0.01" help:"Share of requests without a traceparent header that the gateway traces, 0 to 1. A request with the header is traced if its sampled flag is set. The consumer follows the gateway's choice, and traces this share of the batches that hold no traced event."`
	PerSecond   int     `name:"trace-per-second" default:"100" help:"Most requests a second that one process begins to trace, those included whose clients ask for it; 1 to 100000."`
	Headers     string  `name:"trace-headers" placeholder:"NAME=VALUE,…" help:"Headers for the collector, such as Authorization=Bearer%20TOKEN; values are percent-encoded. Other users of the machine can read a flag: prefer the environment or the file."`
	HeadersFile string  `name:"trace-headers-file" placeholder:"FILE" help:"File that holds the headers in that form. Each export reads it again."`
}

// mostPerSecond is the highest --trace-per-second.
const mostPerSecond = 100_000

// Check returns an error that joins every fault of the settings, or nil. It opens no file.
func (c Config) Check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.Endpoint != "" {
		if _, err := c.url(); err != nil {
			fault("--trace-endpoint: %w", err)
		}
	}
	if !(c.Sample >= 0 && c.Sample <= 1) { // written so that NaN fails too
		fault("--trace-sample: 0 to 1, not %g", c.Sample)
	}
	if c.PerSecond < 1 || c.PerSecond > mostPerSecond {
		fault("--trace-per-second: 1 to %d, not %d", mostPerSecond, c.PerSecond)
	}
	if _, err := parseHeaders(c.Headers); err != nil {
		fault("--trace-headers: %w", err)
	}
	if c.Headers != "" && c.HeadersFile != "" {
		fault("--trace-headers and --trace-headers-file: set only one of them")
	}
	if c.Endpoint == "" && (c.Headers != "" || c.HeadersFile != "") {
		fault("--trace-endpoint: nothing is traced without it, but headers for the collector are set")
	}
	return errors.Join(faults...)
}

// CheckFiles returns an error if the file in the settings cannot be used.
func (c Config) CheckFiles() error {
	if c.HeadersFile == "" {
		return nil
	}
	if err := settings.CheckFile(c.HeadersFile); err != nil {
		return fmt.Errorf("--trace-headers-file: %w", err)
	}
	if _, err := c.headers(); err != nil {
		return fmt.Errorf("--trace-headers-file: %w", err)
	}
	return nil
}

// defaultPath is where a collector takes traces, if the URL names no path.
const defaultPath = "/v1/traces"

// url returns the URL to which traces are posted. The errors do not repeat the setting, which may hold a password.
func (c Config) url() (string, error) {
	const example = "such as http://collector:4318"
	u, err := url.Parse(c.Endpoint)
	switch {
	case err != nil:
		return "", errors.New("must be a URL, " + example)
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return "", errors.New("must begin with http:// or https:// and a host, " + example)
	case u.User != nil:
		return "", errors.New("must not hold a user or a password: set --trace-headers")
	case u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("must not have a query or a fragment, " + example)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = defaultPath
	}
	return u.String(), nil
}

// headers returns the headers for the collector. It reads the file, if there is one.
func (c Config) headers() (http.Header, error) {
	if c.HeadersFile == "" {
		return parseHeaders(c.Headers)
	}
	text, err := os.ReadFile(c.HeadersFile)
	if err != nil {
		return nil, err
	}
	return parseHeaders(strings.TrimSpace(string(text)))
}

// parseHeaders reads NAME=VALUE,… with percent-encoded values, the form of OTEL_EXPORTER_OTLP_HEADERS. Its errors do
// not repeat values.
func parseHeaders(text string) (http.Header, error) {
	headers := http.Header{}
	if text == "" {
		return headers, nil
	}
	for i, pair := range strings.Split(text, ",") {
		name, escaped, ok := strings.Cut(pair, "=")
		name = strings.TrimSpace(name)
		if !ok || !httpguts.ValidHeaderFieldName(name) {
			return nil, fmt.Errorf("header %d is not NAME=VALUE", i+1)
		}
		value, err := url.PathUnescape(strings.TrimSpace(escaped))
		if err != nil || !httpguts.ValidHeaderFieldValue(value) {
			return nil, fmt.Errorf("the value of header %d (%s) is not percent-encoded text", i+1, name)
		}
		headers.Add(name, value)
	}
	return headers, nil
}
