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
			Alone: i.alone || !i.settlement.IsWholePiece(), Waits: func() { p.watch.beat(i.loop) },
		})
	}
	a := shared.Answer{Counts: true, Rows: block.Rows(), Bytes: block.Bytes(), Began: time.Now()}
	a.Err = p.table.Insert(ctx, block, piece.Token)
	a.Took = time.Since(a.Began)
	return a
}

// waitToLook waits until everything that was sent about a range has arrived, because ClickHouse may have forgotten the
// range's token by then. It returns false if ctx ended.
func (i *insertion) waitToLook(ctx context.Context, from time.Time) bool {
	i.p.log.Info("an old range is compared with the table once nothing of it can be under way any more", "until", from)
	return i.p.outwait(ctx, i.loop, from)
}
