package kafka

import (
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/consumer/kafka/kafkatest"
	"sluice/internal/recordbatch"
)

// Records of aborted transactions are not yielded, and neither are markers, whatever the offset that is asked for, and although
// transactions of two producers overlap. Next is the end all the same.
func TestFetchTransactions(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	one, two := b.Transactional(t, "one"), b.Transactional(t, "two")
	one.Begin()
	one.Write("c0", "c1")
	one.End(kgo.TryCommit) // marker at 2
	one.Begin()
	one.Write("a3")
	two.Begin()
	two.Write("c4")
	b.put(t, 0, recordbatch.Record{Value: []byte("p5")})
	one.Write("a6")
	one.End(kgo.TryAbort) // marker at 7
	two.Write("c8")
	one.Begin()
	one.Write("c9")
	one.End(kgo.TryCommit) // 10
	two.End(kgo.TryCommit) // 11
	two.Begin()
	two.Write("a12")
	two.End(kgo.TryAbort) // 13
	all := map[int64]string{0: "c0", 1: "c1", 4: "c4", 5: "p5", 8: "c8", 9: "c9"}
	for from := range int64(15) {
		var want []string
		for offset := from; offset < 14; offset++ {
			if v, ok := all[offset]; ok {
				want = append(want, v)
			}
		}
		got, at, err := b.read(t, 0, from)
		require.NoError(t, err, "from %d", from)
		assert.Equal(t, want, values(got), "from %d", from)
		if from < 14 {
			assert.Equal(t, int64(14), at.Next, "from %d", from)
			assert.NotZero(t, at.Term, "from %d", from)
		}
		assert.Equal(t, int64(14), at.HighWatermark)
		assert.Equal(t, int64(14), at.LastStable)
	}
}

// Records from the start of an open transaction on are not read until the transaction has ended.
func TestFetchOpenTransaction(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	one := b.Transactional(t, "one")
	b.put(t, 0, recordbatch.Record{Value: []byte("p0")})
	one.Begin()
	one.Write("c1")
	b.put(t, 0, recordbatch.Record{Value: []byte("p2")})
	got, at, err := b.read(t, 0, 0)
	require.NoError(t, err)
	assert.Equal(t, []string{"p0"}, values(got))
	assert.Equal(t, [3]int64{1, 1, 3}, [3]int64{at.Next, at.LastStable, at.HighWatermark})
	one.End(kgo.TryCommit)
	got, at, err = b.read(t, 0, 1)
	require.NoError(t, err)
	assert.Equal(t, []string{"c1", "p2"}, values(got))
	assert.Equal(t, [2]int64{4, 4}, [2]int64{at.Next, at.LastStable})
}

// One answer has many transactions of several producers, and every second transaction is aborted.
func TestFetchManyTransactions(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	var want []string
	writers := []*kafkatest.Transactional{b.Transactional(t, "one"), b.Transactional(t, "two"), b.Transactional(t, "three")}
	for i := range 30 {
		w := writers[i%3]
		v := fmt.Sprint(i)
		w.Begin()
		w.Write(v)
		if i%2 == 0 {
			w.End(kgo.TryAbort)
			continue
		}
		w.End(kgo.TryCommit)
		want = append(want, v)
	}
	got, at, err := b.read(t, 0, 0)
	require.NoError(t, err)
	assert.Equal(t, want, values(got))
	assert.Equal(t, int64(60), at.Next)
}

// If the topic keeps the producers' times, each record has its own.
func TestFetchTimes(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	b.Configure(t, "message.timestamp.type", "CreateTime")
	sent := time.UnixMilli(1_700_000_000_000)
	var records []*kgo.Record
	for i := range 3 {
		records = append(records, &kgo.Record{Timestamp: sent.Add(time.Duration(i) * 1500 * time.Millisecond)})
	}
	b.Broker.Write(t, 0, records...)
	read, _, err := b.read(t, 0, 0)
	require.NoError(t, err)
	var got []int64
	for _, r := range read {
		got = append(got, r.Timestamp)
	}
	assert.Equal(t, []int64{sent.UnixMilli(), sent.UnixMilli() + 1500, sent.UnixMilli() + 3000}, got)
}

// The answer of an Apache Kafka is read, and every shorter part of it is an error.
func TestReadAnswerOfApacheKafka(t *testing.T) {
	t.Parallel()
	bytes, err := hex.DecodeString(apacheKafkaAnswer)
	require.NoError(t, err)
	a := rawAnswer{version: 11, bytes: bytes}
	at, err := a.parse()
	require.NoError(t, err)
	assert.Zero(t, a.code)
	assert.Equal(t, [2]int64{14, 14}, [2]int64{at.HighWatermark, at.LastStable})
	assert.Len(t, a.aborted, 2)
	var reader recordbatch.Reader
	var got []string
	for r, err := range reader.Read(a.records, 0, a.aborted) {
		require.NoError(t, err)
		got = append(got, string(r.Value))
		assert.Equal(t, 2026, time.UnixMilli(r.Timestamp).Year(), "record %d", r.Offset)
	}
	next, _ := reader.End()
	assert.Equal(t, []string{"c0", "c1", "c4", "p5", "c8", "c9"}, got)
	assert.Equal(t, int64(14), next)
	for n := range len(bytes) {
		short := rawAnswer{version: 11, bytes: bytes[:n]}
		_, err := short.parse()
		assert.Error(t, err, "%d bytes", n)
	}
}

// apacheKafkaAnswer is the answer of an Apache Kafka 4.3.1 to a fetch, version 11, of the records of TestFetchTransactions.
const apacheKafkaAnswer = "" +
	"000000010000000000000000000000000001000d636170747572653037303234350000000100000000000000000000000000" +
	"0e000000000000000e0000000000000000000000020000000000000000000000000000000300000000000000010000000000" +
	"00000cffffffff000003fd00000000000000000000003a00000000027f5af603001800000000000001a220f6b2a0000001a2" +
	"20f6b36c00000000000000000000000000000000000110000000010463300000000000000000010000003a0000000002674a" +
	"ba17001800000000000001a220f6b38e000001a220f6b3920000000000000000000000000001000000011000000001046331" +
	"0000000000000000020000004200000000024b5d512a003800000000000001a220f6b409000001a220f6b40d000000000000" +
	"00000001ffffffff000000012000000008000000010c0000000000000000000000000000030000003a000000000211c48945" +
	"001800000000000001a220f6b3c4000001a220f6b44600000000000000000001000000000000000110000000010461330000" +
	"000000000000040000003a0000000002786fa8cd001800000000000001a220f6b461000001a220f6b48f0000000000000001" +
	"0000000000000000000110000000010463340000000000000000050000003a0000000002dd871400000800000000000001a2" +
	"20f6b490000001a220f6b4b30000000000000002000000000000000000011000000001047035000000000000000006000000" +
	"3a000000000219b40b53001800000000000001a220f6b4be000001a220f6b4bf000000000000000000010000000100000001" +
	"10000000010461360000000000000000070000003a00000000020050fd4c001800000000000001a220f6b4cb000001a220f6" +
	"b4cc00000000000000010000000000010000000110000000010463380000000000000000080000004200000000021ddc58b5" +
	"003800000000000001a220f6b4cf000001a220f6b4cf00000000000000000002ffffffff000000012000000008000000000c" +
	"0000000000000000000000000000090000003a000000000218227129001800000000000001a220f6b4ce000001a220f6b4e0" +
	"000000000000000000020000000000000001100000000104633900000000000000000a00000042000000000257ed2e810038" +
	"00000000000001a220f6b4e6000001a220f6b4e600000000000000000003ffffffff000000012000000008000000010c0000" +
	"0000000000000000000000000b000000420000000002221ac7a8003800000000000001a220f6b4f4000001a220f6b4f40000" +
	"0000000000010001ffffffff000000012000000008000000010c00000000000000000000000000000c0000003b0000000002" +
	"49d400d5001800000000000001a220f6b4eb000001a220f6b51b000000000000000100010000000000000001120000000106" +
	"61313200000000000000000d000000420000000002365024ad003800000000000001a220f6b53c000001a220f6b53e000000" +
	"00000000010002ffffffff000000012000000008000000000c00000000000000"
