package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"sluice/consumer/rows"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
)

// nativeConnection speaks ClickHouse's native protocol.
type nativeConnection struct {
	opts   *clickhouse.Options
	table  string
	client *ch.Client
	known  *Server
}

func (n *nativeConnection) open(ctx context.Context) (*Server, error) {
	if n.client != nil && !n.client.IsClosed() {
		return n.known, nil
	}
	client, err := n.dial(ctx)
	if err != nil {
		return nil, err
	}
	var name proto.ColStr
	known := &Server{}
	if err := inquire(ctx, client, ch.Query{Body: serverQuery, Result: proto.Results{{Name: "name", Data: &name}}, OnResult: func(context.Context, proto.Block) error {
		for i := range name.Rows() {
			known.learn(name.Row(i))
		}
		return nil
	}}); err != nil {
		_ = client.Close()
		return nil, fmt.Errorf("ask clickhouse for its settings: %w", err)
	}
	n.client, n.known = client, known
	return known, nil
}

// do makes a query that ends with ctx. ch-go itself looks at ctx between two packets only, and a server that stands still sends none.
func do(ctx context.Context, client *ch.Client, query ch.Query) error {
	stop := context.AfterFunc(ctx, func() { _ = client.Close() })
	defer stop()
	return client.Do(ctx, query) //nolint:wrapcheck // the callers say what it was
}

// shortGrace is how long an answer may still take that nobody waits for any more.
const shortGrace = time.Second

// short is for what the server answers in little. It ends a little later than ctx, so that the answer is read to its end if that does
// not take long: to close a connection with something unread resets it, and ClickHouse 26.7 as a library ended itself over that
// ("Terminate called for uncaught exception: Connection reset by peer, while reading from socket").
func short(ctx context.Context) (late context.Context, end func()) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-late.Done():
		case <-time.After(shortGrace):
			cancel()
		}
	})
	return late, func() { stop(); cancel() }
}

// inquire makes a query whose answer is short.
func inquire(ctx context.Context, client *ch.Client, query ch.Query) error {
	if err := ctx.Err(); err != nil {
		return err //nolint:wrapcheck // the callers say what it was
	}
	late, end := short(ctx)
	defer end()
	if err := do(late, client, query); err != nil {
		return err
	}
	return ctx.Err() //nolint:wrapcheck // as above
}

// insert sends the input as ClickHouse takes it: one block, because ch-go's Do without OnInput sends one.
func (n *nativeConnection) insert(ctx context.Context, b *rows.Block, settings map[string]string) error {
	columns := b.Columns()
	query := ch.Query{Body: insertStatement(n.opts.Auth.Database, n.table, columns), Input: columns}
	for key, value := range settings {
		query.Settings = append(query.Settings, ch.Setting{Key: key, Value: value, Important: true})
	}
	if err := do(ctx, n.client, query); err != nil {
		return fmt.Errorf("insert: %w", err)
	}
	return nil
}

func (n *nativeConnection) offsets(ctx context.Context, query string, each func(int64, uuid.UUID)) error {
	var offset proto.ColInt64
	var id proto.ColUUID
	err := inquire(ctx, n.client, ch.Query{Body: query, Result: proto.Results{{Data: &offset}, {Data: &id}}, OnResult: func(context.Context, proto.Block) error {
		for i := range offset {
			each(offset[i], id[i])
		}
		return nil
	}})
	if err != nil {
		return fmt.Errorf("select: %w", err)
	}
	return nil
}

// dial tries the DSN's servers in turn.
func (n *nativeConnection) dial(ctx context.Context) (*ch.Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, err //nolint:wrapcheck // nothing was asked of any server
	}
	late, end := short(ctx)
	defer end()
	var errs []error
	for _, addr := range n.opts.Addr {
		client, err := ch.Dial(late, ch.Options{
			Address:     addr,
			User:        n.opts.Auth.Username,
			Password:    n.opts.Auth.Password,
			TLS:         n.opts.TLS,
			Compression: compression(n.opts, addr),
			ClientName:  "sluice-consumer",
			DialTimeout: DialTimeout,
			ReadTimeout: InsertTimeout,
		})
		if err == nil {
			return client, nil
		}
		errs = append(errs, fmt.Errorf("connect to clickhouse at %s: %w", addr, err))
	}
	return nil, errors.Join(errs...)
}

func (n *nativeConnection) close() {
	if n.client != nil {
		_ = n.client.Close()
		n.client = nil
	}
}
