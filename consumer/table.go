package consumer

import (
	"context"

	"sluice/consumer/rows"
)

// table is what a partition needs of ClickHouse.
//
// The implementer owes: Insert returns nil only when all rows of the block are in the table, or were inserted under the
// same token before. After clickhouse.ErrNotSent nothing was sent. After an error without a code of ClickHouse's the
// rows may be in the table, all or some of them. Missing, Highest and Held see what was in the table when they were
// called. Nothing is retried. All methods are safe for concurrent use, and a block is not kept.
type table interface {
	Insert(ctx context.Context, b *rows.Block, token string) error
	// Missing lists the rows of b, ascending, that the table does not have: not with their offset and their event.
	Missing(ctx context.Context, topic string, partition int, b *rows.Block) ([]int32, error)
	// Highest returns the highest offset, at least from, that the table has of a partition. It returns -1 if there is
	// none.
	Highest(ctx context.Context, topic string, partition int, from int64) (int64, error)
	// Held counts the offsets between from and to, both included, that have a row.
	Held(ctx context.Context, topic string, partition int, from, to int64) (int64, error)
}

// closingTable is a table with connections to close.
type closingTable interface {
	table
	Close()
}
