package consumer

import (
	"context"
	"time"

	"sluice/consumer/delivery"
	"sluice/consumer/rows"
	"sluice/consumer/shared"
)

// send inserts a piece: with those of other partitions if its token is that of a shared block.
func (i *insertion) send(ctx context.Context, piece delivery.Piece, block *rows.Block) shared.Answer {
	p := i.p
	if piece.Shared {
		until := i.settlement.TrustedUntil()
		if owned := time.Unix(0, p.progress.owned.Load()).Add(delivery.TokenTrust); owned.Before(until) {
			until = owned
		}
		return p.blocks.Insert(ctx, shared.Send{
			Block: i.batch.Shared, Partition: p.id, Rows: block, Token: piece.Token, Until: until,
			Alone: i.alone || !i.settlement.IsWholePiece(), Waits: func() { p.watch.Beat(i.loop) },
		})
	}
	a := shared.Answer{Counts: true, Rows: block.Rows(), Bytes: block.Bytes(), Began: time.Now()}
	a.Err = p.table.Insert(ctx, piece.Token, block)
	a.Took = time.Since(a.Began)
	return a
}
