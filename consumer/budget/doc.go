// Package budget shares what the partitions of a process have in common: memory for records, turns to work off a
// backlog, and how large ClickHouse lets a batch be.
//
// A Budget bounds memory, and no partition starves. Turns let a few partitions at a time fill whole blocks. Size halves
// after a block that was too large, and grows again. Nothing here waits for longer than it is told to, and nothing
// speaks to Kafka or ClickHouse.
//
// To change how memory is divided read Claim.Room; when a partition needs a turn, consumer's fetcher_pace.go.
package budget
