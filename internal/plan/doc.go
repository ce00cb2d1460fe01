// Package plan reckons from a load (events per second, their size, how long they are kept) what it takes to carry the
// load: partitions, gateways, consumers, ClickHouse shards and replicas, disk, network, memory, and money.
//
//	Load ──────┐
//	           ├─▶ Compute ─▶ Plan ─▶ text, JSON, the tables of docs/performance.md
//	Figures ───┘
//
// The package is arithmetic: it opens nothing. [Figures] are what one request, event, row and insert cost. Their
// defaults were measured with package measure and are in default.json.
//
// To change a formula, see the file of its part: gateway.go, kafka.go, consumer.go, clickhouse.go, money.go; each has
// its formula in the comment and in lines.go the sentence that is printed. The limits of the input are in load.go, the
// numbers of a plan in result.go.
package plan
