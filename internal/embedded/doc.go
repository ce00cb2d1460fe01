// Package embedded runs the two servers of a whole pipeline without an installation: a broker with Kafka's protocol
// inside this process, and a real ClickHouse engine in a process of its own. They serve "sluice dev" and the tests. In
// production the operator runs both.
//
// # The broker
//
// kfake keeps its log, topics, producer ids and committed offsets (with their metadata) in a directory. It acknowledges
// a record after writing it to the operating system, so the record survives kill -9 of the process. With SyncWrites it
// also waits for the disk, so the record survives power loss.
//
// The broker is one node. It records replication factors above one but replicates nothing, so min.insync.replicas,
// leader changes and unclean elections need Apache Kafka (deploy/kafka). It also differs from Apache Kafka 4.3 in these
// ways:
//
//   - It accepts offset metadata of any length. Kafka refuses more than 4096 bytes.
//   - It accepts topic settings that do not exist.
//   - Its answer to a produce request has no append time.
//   - It never answers that a leader or a coordinator is not ready yet. Kafka does so for some hundred milliseconds
//     after a topic is created or a group is first used.
//
// # The engine
//
// The npm packages @chdb/lib-* contain ClickHouse as one shared library, about 180 MB packed and 570 MB unpacked. The
// npm client fetches it once. Package fetch checks it against a digest in the source (where one is known) and unpacks
// it into a cache directory. The engine loads it without cgo.
//
// The library has its own signal handlers and threads and takes hundreds of megabytes of memory, so it runs in a
// separate process. The program executes itself again with a marker in the environment, and [Main], the first call in
// main, turns that second process into the engine.
//
// The engine lives as long as a pipe from its parent is open. The kernel closes the pipe however the parent ends. So
// kill -9 of the parent also ends the engine, and in order: a running insert is finished or refused as a whole. A plain
// MergeTree needs that, because it writes its deduplication log before it renames the part, and an engine killed in
// between would ignore the retry.
//
// The engine inherits a lock on the data directory. So the next start waits until the previous engine has ended.
//
// The engine listens on loopback only, because its user "default" has no password.
package embedded
