package e2e

import (
	"regexp"
	"strings"
	"testing"
)

// A consumer that starts before its topic waits for it, says what is missing, and makes no generation for it. It then has all of the
// topic, and what is added later.
func TestConsumerStartsBeforeItsTopic(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 1)
	p.name += "_late"
	c := start(t, "consumer", append(p.kafka(), "--clickhouse-dsn", p.dsn, "--kafka-group", p.name, "--admin-addr", "127.0.0.1:0", "--flush-age", "200ms")...)
	c.says(`msg="cannot join the consumer group.*topic ` + p.name + `: the topic does not exist.*sluice topics apply`)
	apply := func(partitions string) {
		t.Helper()
		if code, out := runs(t, "sluice", append([]string{"topics", "apply", "--replication", "1", "--min-isr", "1", "--partitions", partitions}, p.kafka()...)...); code != 0 {
			t.Fatalf("topics apply: %d\n%s", code, out)
		}
	}
	apply("3")
	c.says(`msg="partitions assigned".*partitions="\[0 1 2\]"`)
	if n := len(regexp.MustCompile(`msg="partitions assigned"`).FindAllString(c.output(), -1)); n != 1 {
		t.Errorf("%d generations", n)
	}
	if n := strings.Count(c.output(), "does not exist"); n != 1 {
		t.Errorf("the missing topic was said %d times", n)
	}
	apply("5")
	c.says(`msg="partitions assigned".*partitions="\[0 1 2 3 4\]"`)
	p.startGateway("127.0.0.1:0")
	p.post("/api/v1/events", "application/json", `{"message":"after all"}`)
	p.rows(1)
	if code := c.term(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
