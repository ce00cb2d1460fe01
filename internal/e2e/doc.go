// Package e2e holds scenarios over the whole pipeline, on real parts: the programs as built, a broker that speaks
// Kafka, and a ClickHouse engine. It has tests only.
//
// The same list of scenarios runs on both brokers. By default it is the embedded one; with
// SLUICE_TEST_KAFKA=host:port it is the Apache Kafka at that address, which `make kafka-up` starts. Each scenario has
// topics, a consumer group and a database of its own, so that one broker and one engine serve them all.
package e2e
