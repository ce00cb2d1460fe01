// Package erased keeps events out of the table that `sluice erase` has erased: resends, what was on Kafka or in a spool
// at the time, replayed dead letters, and records that are read again.
//
// A [Table] stands between the insertions and the table of the rows. Before each insert, and each question which rows
// are missing, it makes sure that the list of erasures was read at most [ListAge] ago. From Insert it holds erased rows
// back, and in the answer of Missing it leaves them out. So a range that was recorded before an erasure and is inserted
// after it keeps its block, its tokens and its halves: whoever replays it cuts the same pieces, with fewer rows in them.
// A piece's token may have been used with the erased rows in it, or without them; the other rows are in either way, and
// the erased ones are not asked for again.
//
// An erased row counts as dropped by the step "erased".
//
// A consumer that cannot read the list inserts nothing. That holds nothing up that could go on, because the list lies
// beside the table. There are two exceptions. Where the table of erasures is missing, nothing can have been erased. And
// where the user may not read it, the consumer goes on, because an upgrade must not stop the pipeline for a missing
// right: the log and a metric say so, and `sluice erase` reports consumers that do not know of an erasure.
//
// What is covered by an erasure is for internal/erasure to say.
package erased
