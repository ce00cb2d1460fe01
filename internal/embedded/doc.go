// Package embedded runs the two servers a whole pipeline needs without anything installed: a broker that speaks Kafka's
// protocol inside this process, and a real ClickHouse engine in a process of its own. They serve "sluice dev" and the tests;
// in production both are the operator's.
//
// # The broker
//
// kfake keeps its log, topics, producer ids and committed offsets (with their metadata) below a directory. A record is
// acknowledged once it is with the operating system, which outlives kill -9 of the process; SyncWrites waits for the disk as
// well and outlives power loss. It is one node: replication factors above one are recorded but nothing is replicated, so
// min.insync.replicas, leader changes and unclean elections can only be shown on Apache Kafka (deploy/kafka). Seen to differ from
// Apache Kafka 4.3 besides: it takes offset metadata of any length (Kafka: 4096 bytes, then an error) and topic settings that do
// not exist; an answer to a produce request carries no append time; and it never says that a leader or a coordinator is not ready
// yet, which Kafka does for some hundred milliseconds after a topic is made or a group is first used.
//
// # The engine
//
// The npm packages @chdb/lib-* carry ClickHouse as one shared library, about 180 MB packed and 570 MB unpacked. It is fetched
// once with the npm client, checked against a digest in this source (where one is known, see bundles), and unpacked into a
// cache directory. The library is
// loaded without cgo. It has signal handlers, threads and hundreds of megabytes of its own, so it never runs in the process
// that wants it: the program executes itself again with a marker in the environment, and [Main], called first thing in main,
// turns that second process into the engine.
//
// The engine lives as long as a pipe from its parent is open. The kernel closes the pipe however the parent ends, so kill -9 of
// the parent also ends the engine, and it ends in order: an insert that runs is finished or refused as a whole. That matters
// because a plain MergeTree writes its deduplication log before it renames the part, and an engine killed in between
// would swallow the retry. A lock on the data directory is inherited by the engine: the next start waits until the
// previous engine has really gone.
//
// The engine listens on loopback only, because its user "default" has no password.
package embedded
