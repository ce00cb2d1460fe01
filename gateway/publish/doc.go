// Package publish gathers the records of many concurrent requests into few produce requests to Kafka.
//
// A record whose outcome is nil was acknowledged by Kafka with acks=all, or is on the spool's disk while Kafka is
// away. After ErrOverloaded and ErrAway the record was not kept. Any other outcome leaves open whether it was. A
// batch is sent again as it was, under the same producer id and sequence, so that Kafka drops the copy; only a batch
// that was given up while its fate was unknown may be on the topic twice. The order of records with the same key is
// kept. A broker that dies or hangs does not hold up the records for other brokers.
//
// The package does not speak Kafka's protocol: a broker.Producer does. It knows nothing of HTTP, projects and limits.
//
// To change how requests share batches read lane.go, queue.go and gather.go; what becomes of a batch that Kafka does
// not take, send.go; which partitions are avoided, leaders.go and slow.go; when Kafka counts as away, outage.go; how
// all that is learnt, watch.go; what goes to the spool, fallback.go; how it comes back, replay.go and replay_send.go;
// when requests are turned away, congestion.go.
package publish
