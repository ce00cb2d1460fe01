package clickhouse

import (
	"context"
	"fmt"
	"net/url"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

func (n *nativeConnection) texts(ctx context.Context, query string, each func(string)) error {
	var text proto.ColStr
	err := do(ctx, n.client, ch.Query{Body: query, Result: proto.Results{{Data: &text}}, OnResult: func(context.Context, proto.Block) error {
		for i := range text.Rows() {
			each(text.Row(i))
		}
		return nil
	}})
	if err != nil {
		return fmt.Errorf("select: %w", err)
	}
	return nil
}

func (h *httpConnection) texts(ctx context.Context, query string, each func(string)) error {
	err := h.post(ctx, url.Values{}, []byte(query+" FORMAT TSV"), func(line []byte) error {
		each(string(line))
		return nil
	})
	if err != nil {
		return fmt.Errorf("select: %w", err)
	}
	return nil
}
