package kafkatest

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Transactional is a producer that writes to the events topic in transactions.
type Transactional struct {
	t      testing.TB
	client *kgo.Client
}

// Transactional starts a producer with a transactional id.
func (b *Broker) Transactional(t testing.TB, id string) *Transactional {
	t.Helper()
	return &Transactional{t, b.client(t, kgo.TransactionalID(id), kgo.RecordPartitioner(kgo.ManualPartitioner()))}
}

// Begin begins a transaction.
func (p *Transactional) Begin() {
	p.t.Helper()
	if err := p.client.BeginTransaction(); err != nil {
		p.t.Fatal(err)
	}
}

// Write puts a record with each value on partition 0, each in a batch of its own.
func (p *Transactional) Write(values ...string) {
	p.t.Helper()
	for _, v := range values {
		if err := p.client.ProduceSync(p.t.Context(), &kgo.Record{Topic: Topic, Value: []byte(v)}).FirstErr(); err != nil {
			p.t.Fatal(err)
		}
	}
}

// End commits or aborts the transaction. Its marker takes one offset.
func (p *Transactional) End(how kgo.TransactionEndTry) {
	p.t.Helper()
	if err := p.client.EndTransaction(p.t.Context(), how); err != nil {
		p.t.Fatal(err)
	}
}
