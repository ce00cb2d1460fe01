// Package kafka is the publisher's Kafka: a broker.Producer over kafka-go.
//
// Produce returns nil only when all in-sync replicas have acknowledged the batch, and its error says as exactly as
// Kafka allows whether the batch may be on the topic. A batch is not read any more once Produce has returned, although
// kafka-go may still hold the request. The package keeps no queue and does not retry: the publisher does both.
//
// To change what an answer of a broker means read answers.go and reasons.go; how a batch is lent to kafka-go,
// revocable.go; requests that kafka-go sends in another way than needed, requests.go; how a dead connection is noticed,
// conn.go; what the publisher knows of brokers and settings, cluster.go and topic.go.
package kafka
