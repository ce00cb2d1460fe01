package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDeadLettersReplayed: an operator lists, shows and replays dead letters. Those whose cause is gone become rows, once,
// however often they are replayed. Those that die again are reported.
func TestDeadLettersReplayed(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 2)
	record := func(n int, value string, more ...string) kafka.Record {
		r := kafka.Record{Key: kafka.NewBytes([]byte("k")), Value: kafka.NewBytes([]byte(value))}
		headers := append([]string{
			"v", "1", "project", "e2e", "event-id", fmt.Sprintf("0193b3c4-5d6e-7a7b-8c9d-%012d", n),
			"received-at", "1795435200000",
		}, more...)
		for i := 0; i < len(headers); i += 2 {
			r.Headers = append(r.Headers, kafka.Header{Key: headers[i], Value: []byte(headers[i+1])})
		}
		return r
	}
	p.startConsumer()
	p.produce(1, record(1, `{"message":"good"}`), record(2, `{"message":`), record(3, `{"level":"info"}`))
	p.eventually("two dead letters", func() bool { return p.records(p.name+".dead") == 2 })
	// What an older consumer did not understand, and this one does.
	for n := range 2 {
		resp, err := p.client().Produce(t.Context(), &kafka.ProduceRequest{
			Topic: p.name + ".dead", Partition: 0, RequiredAcks: kafka.RequireAll,
			Records: kafka.NewRecordReader(record(10+n, `{"message":"late"}`, "dead-reason", "unknown_format",
				"dead-topic", "elsewhere", "dead-partition", "7", "dead-offset", fmt.Sprint(n), "dead-at", "1795435200000",
				"dead-error", "x")),
		})
		require.NoError(t, err)
		require.NoError(t, resp.Error)
	}
	dead := func(wantCode int, args ...string) string {
		t.Helper()
		code, said := runs(t, "sluice", append(append([]string{"dead", args[0]}, p.kafka()...), args[1:]...)...)
		require.Equal(t, wantCode, code, said)
		return said
	}

	list := dead(0, "list")
	for _, want := range []string{"malformed_json", "invalid_event", "unknown_format", "elsewhere 7:1", "4  letters"} {
		assert.Contains(t, list, want)
	}
	assert.Contains(t, dead(0, "list", "--reason=unknown_format", "--count"), "2  letters")
	assert.Contains(t, dead(0, "list", "--project=else"), "0  letters")
	assert.Equal(t, 2, strings.Count(dead(0, "list", "--json", "--reason=malformed_json,invalid_event"), `"project":"e2e"`))
	assert.Contains(t, dead(0, "list", "--since=2026-11-24T00:00:00Z"), "2  letters", "by the time of death")
	assert.Contains(t, dead(1, "list", "--reason=bad_luck"), "unknown_format", "names those that there are")
	shown := dead(0, "show", "0:0")
	for _, want := range []string{"unknown_format", "header project", "e2e", `{"message":"late"}`} {
		assert.Contains(t, shown, want)
	}
	assert.NotContains(t, shown, "header dead-")
	assert.Contains(t, dead(1, "show", "0:99"), "no dead letter at 0:99")

	before := p.records(p.name)
	assert.Contains(t, dead(1, "replay"), "--all")
	assert.Contains(t, dead(0, "replay", "--all", "--dry-run"), "4  letters")
	assert.Equal(t, before, p.records(p.name), "a dry run writes nothing")
	for range 2 {
		said := dead(0, "replay", "--reason=unknown_format", "--rate=100", "--kafka-group="+p.name)
		assert.Contains(t, said, "consumed: 2, died again: 0")
		p.rows(3)
	}
	assert.EqualValues(t, 2, p.scalar("SELECT count() FROM events WHERE message = 'late'"))
	said := dead(1, "replay", "--all", "--kafka-group="+p.name)
	assert.Contains(t, said, "consumed: 4, died again: 2")
	p.rows(3)
}
