package consumer

import (
	"context"
	"sluice/consumer/rows"
)

// table is what a partition needs of ClickHouse.
//
// The implementer owes: insert sends one block under one token and returns nil only when all of its rows are in the table, or were
// under that token before; after errNotSent nothing was sent, after an error without a code of ClickHouse's anything may have
// happened. missing, highest and held see what was in the table when they were called. Safe for concurrent use; a block is not kept.
type table interface {
	Insert(ctx context.Context, b *rows.Block, token string) error
	// missing lists the rows of b, ascending, that the table does not have: not with that offset and that event.
	Missing(ctx context.Context, topic string, partition int, b *rows.Block) ([]int32, error)
	// highest is the highest offset from one on that the table has of a partition, -1 for none.
	Highest(ctx context.Context, topic string, partition int, from int64) (int64, error)
	// held is how many offsets from one to another, both included, have a row.
	Held(ctx context.Context, topic string, partition int, from, to int64) (int64, error)
}

// closingTable is a table with connections to close.
type closingTable interface {
	table
	Close()
}
