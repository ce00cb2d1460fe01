// Package delivery decides how records get into ClickHouse once each, and how far a partition has come. It is pure: it
// does no I/O, looks at no clock, starts no goroutine, and imports nothing of ours.
//
// Ranges is what a group's committed offset and its metadata say about a partition: everything before the head is in
// ClickHouse, and the ranges behind it are recorded, which means that they may be. Only a recorded range may be
// inserted. Whoever takes a partition over reads the same ranges and makes the same blocks of them.
//
// Settlement brings the block of one range in and says what to do next: ask the table, insert a piece under a token,
// judge a rejected row. Rows are never inserted twice and never left out, whatever is answered, lost, late or done by
// another owner at the same time.
//
// A block may be shared by ranges of several partitions, whose owners need not be one, see shared.go.
//
// The model in model_test.go runs one partition through crashes, zombies, lost answers and forgotten tokens, and that
// in shared_world_test.go several partitions in shared blocks. They fail if any of the rules is removed.
//
// To change what is recorded read ranges.go and metadata.go; what is done until a block is in, settlement.go and
// pieces.go; what is done about a block that is too large, size.go; what is shared, shared.go.
package delivery
