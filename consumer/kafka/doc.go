// Package kafka is the consumer's side of Kafka: membership of the group, fetches, commits and dead letters, over
// kafka-go.
//
// A Membership keeps its member id and its generation while the coordinator is away or moves, and its heartbeats go on
// until the generation's functions have returned, so that their last commits count. A fetch yields no record of an
// aborted transaction, and costs no allocation a record. A commit returns nil only if the broker has stored it. A dead
// letter is written with acks=all.
//
// The package retries nothing but heartbeats: the caller knows what may be asked again. It knows nothing of ranges,
// rows or ClickHouse.
//
// Questions that many partitions ask at once go together, see package together.
//
// To change how partitions are shared out read balancer.go; how the group is joined, group.go and generation.go; how
// records are fetched, fetch.go, and internal/recordbatch for the batches in them; how many partitions are fetched with
// one request, fetches.go and session.go; how a topic that lost its end or was created anew is noticed, lineage.go;
// what a dead letter looks like, deadletter.go.
package kafka
