package event

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// The events of the benchmarks: 200 bytes, the smallest that are worth sending; 345 bytes, the size the design was measured with, and 1.4 KB with a stack trace.
var (
	event345 = func() []byte {
		raw, err := os.ReadFile("testdata/typical.json")
		if err != nil {
			panic(err)
		}
		return []byte(strings.TrimSpace(string(raw)))
	}()
	event200 = []byte(`{"event_id":"0193b3c4-5d6e-7a7b-8c9d-000000000123","level":"error","environment":"prod","release":"shop@1.4.2",` +
		`"tags":{"region":"eu"},"message":"timeout 4711 payment 12 refused 981 upstream 7 cart 5150 session 3"}`)
	event1400 = []byte(`{"event_id":"019ab0c2-4f00-7d3a-9b1c-0a2b3c4d5e6f","timestamp":"2026-11-23T11:59:58.250Z","level":"error",` +
		`"message":"Could not charge order 4711: dial tcp 10.0.0.7:443: i/o timeout","exception":{"type":"ConnectError",` +
		`"value":"dial tcp 10.0.0.7:443: i/o timeout","module":"net"},"stacktrace":[` +
		strings.Repeat(`{"filename":"internal/pay/client.go","function":"Client.Charge","lineno":88,"colno":12,"in_app":true,"context_line":"\treturn c.do(req)"},`, 5) +
		`{"filename":"main.go","function":"main","lineno":12}],"tags":{"region":"eu-1","retry":"2","canary":true},` +
		`"user":{"id":"u-81","email":"ann@example.com"},"sdk":{"name":"sluice-go","version":"1.4.0"},"environment":"production",` +
		`"release":"checkout@2.14.1","platform":"go","server_name":"pay-3","transaction":"POST /pay","trace_id":"0af7651916cd43dd8448eb211c80319c"}`)
)

func BenchmarkDecode(b *testing.B) {
	for name, raw := range map[string][]byte{"345B": event345, "1.4KB": event1400} {
		b.Run(name, func(b *testing.B) {
			var d Decoder
			var ev Event
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if err := d.Decode(raw, &ev); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFingerprint(b *testing.B) {
	for name, raw := range map[string][]byte{"345B": event345, "1.4KB": event1400} {
		b.Run(name, func(b *testing.B) {
			var ev Event
			if err := new(Decoder).Decode(raw, &ev); err != nil {
				b.Fatal(err)
			}
			var scratch []byte
			b.ReportAllocs()
			for b.Loop() {
				_, scratch = ev.FingerprintHash(scratch)
			}
		})
	}
}

func BenchmarkHeaders(b *testing.B) {
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			envelope.Headers()
		}
	})
	b.Run("read", func(b *testing.B) {
		headers := envelope.Headers()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ParseHeaders(headers); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSplitBulk(b *testing.B) {
	body := []byte("[" + strings.Repeat(string(event345)+",", 999) + string(event345) + "]")
	var bulk Bulk
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := SplitBulk(body, FormJSON, &bulk); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodeBulk is what the gateway does with a bulk of 1,000 events: the time is of all of them.
func BenchmarkDecodeBulk(b *testing.B) {
	for name, raw := range map[string][]byte{"200B": event200, "345B": event345, "1.4KB": event1400} {
		b.Run(name, func(b *testing.B) {
			body := []byte("[" + strings.Repeat(string(raw)+",", 999) + string(raw) + "]")
			var bulk Bulk
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			good := 0
			for b.Loop() {
				if err := DecodeBulk(body, FormJSON, 0, &bulk, func(_ int, _ []byte, _ *Event, err error) {
					if err == nil {
						good++
					}
				}); err != nil {
					b.Fatal(err)
				}
			}
			if good != 1000*b.N {
				b.Errorf("%d events of %d", good, 1000*b.N)
			}
		})
	}
}

func BenchmarkNewID(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		NewID()
	}
}

// BenchmarkHostile is the time of one event of the largest size that was made to be slow.
func BenchmarkHostile(b *testing.B) {
	for name, raw := range map[string]string{
		"objects":    withField("a", "["+strings.Repeat("{},", 349_000)+"1]"),
		"escapes":    withField("a", `"`+strings.Repeat(`\ud83d\ude00`, 87_000)+`"`),
		"surrogates": withField("a", `"`+strings.Repeat(`\ud800`, 174_000)+`"`),
		"chinese":    withField("a", `"`+strings.Repeat(`中`, 349_000)+`"`),
		"frames":     withField("stacktrace", "["+strings.Repeat("{},", 349_000)+"{}]"),
	} {
		b.Run(name, func(b *testing.B) {
			var d Decoder
			var ev Event
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if err := d.Decode([]byte(raw), &ev); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestNoAllocations(t *testing.T) {
	var d Decoder
	var ev Event
	var scratch, out []byte
	for _, raw := range [][]byte{event345, event1400, []byte(`{"mess\u0061ge":"\u0061 \ud800","level":"\u0064ebug","timestamp":"1\u0030"}`)} {
		work := func() {
			if err := d.Decode(raw, &ev); err != nil {
				t.Fatal(err)
			}
			_, scratch = ev.FingerprintHash(scratch)
			out = ev.AppendMessage(ev.AppendPayload(out[:0], raw))
		}
		work()
		if n := testing.AllocsPerRun(100, work); n != 0 {
			t.Errorf("%.40s…: %v allocations an event", raw, n)
		}
	}
}

// BenchmarkDecodeLibrary decodes the same events with encoding/json, which checks less: it accepts members that come twice
// and repairs bytes that are not UTF-8.
func BenchmarkDecodeLibrary(b *testing.B) {
	type frame struct {
		Filename, Function string
		InApp              bool `json:"in_app"`
	}
	type library struct {
		Message, Level, Environment, Release, Platform string
		EventID                                        string `json:"event_id"`
		ServerName                                     string `json:"server_name"`
		Timestamp, Fingerprint, User                   any
		Exception                                      struct{ Type, Value, Module string }
		Stacktrace                                     []frame
		Tags                                           map[string]any
		SDK                                            struct{ Name, Version string }
	}
	for _, size := range []struct {
		name string
		raw  []byte
	}{{"345B", event345}, {"1.4KB", event1400}} {
		b.Run(size.name, func(b *testing.B) {
			b.SetBytes(int64(len(size.raw)))
			b.ReportAllocs()
			for b.Loop() {
				var ev library
				if err := json.Unmarshal(size.raw, &ev); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
