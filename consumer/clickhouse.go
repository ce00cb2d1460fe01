package consumer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
)

const (
	table = "events_raw"
	// insertTimeout bounds one attempt; what ClickHouse has not answered by then is tried again.
	insertTimeout = 2 * time.Minute
	dialTimeout   = 5 * time.Second
)

// insertSettings go with every insert. Since ClickHouse 26.3 inserts are asynchronous unless told otherwise, and an
// asynchronous insert is not on disk when it is answered. A block's rows may fall into more table partitions than the
// default of 100 allows: 240 months and one.
var insertSettings = map[string]string{
	"async_insert":                    "0",
	"max_partitions_per_insert_block": "300",
}

// inserter writes blocks into the table.
//
// The implementer owes: insert returns nil only when all rows of the block are in the table; an error may mean that they are
// in all the same. One call at a time; the block is not kept. Close may be called more than once.
type inserter interface {
	insert(ctx context.Context, b *block) error
	close()
}

// newInserter makes an inserter for one partition's worker. It opens nothing.
func newInserter(store Store) inserter {
	return &anyInserter{store: store}
}

// anyInserter reads the DSN at each connect, and speaks the protocol that it names.
type anyInserter struct {
	store Store
	now   inserter
}

func (a *anyInserter) insert(ctx context.Context, b *block) error {
	if a.now == nil {
		opts, err := a.store.options()
		if err != nil {
			return err
		}
		if opts.Protocol == clickhouse.HTTP {
			a.now = newHTTPInserter(opts)
		} else {
			a.now = &nativeInserter{opts: opts}
		}
	}
	err := a.now.insert(ctx, b)
	if err != nil {
		a.close() // the DSN may have changed
	}
	return err
}

func (a *anyInserter) close() {
	if a.now != nil {
		a.now.close()
		a.now = nil
	}
}

// nativeInserter speaks ClickHouse's native protocol over one connection.
type nativeInserter struct {
	opts   *clickhouse.Options
	client *ch.Client
}

func (n *nativeInserter) insert(ctx context.Context, b *block) error {
	ctx, cancel := context.WithTimeout(ctx, insertTimeout)
	defer cancel()
	if n.client == nil || n.client.IsClosed() {
		client, err := n.dial(ctx)
		if err != nil {
			return err
		}
		n.client = client
	}
	err := n.client.Do(ctx, ch.Query{Body: insertStatement(n.opts.Auth.Database, b.input), Input: b.input})
	if err != nil {
		return fmt.Errorf("insert: %w", err)
	}
	return nil
}

// dial tries the DSN's servers in turn.
func (n *nativeInserter) dial(ctx context.Context) (*ch.Client, error) {
	settings := make([]ch.Setting, 0, len(insertSettings))
	for key, value := range insertSettings {
		settings = append(settings, ch.Setting{Key: key, Value: value, Important: false})
	}
	var errs []error
	for _, addr := range n.opts.Addr {
		client, err := ch.Dial(ctx, ch.Options{
			Address:     addr,
			User:        n.opts.Auth.Username,
			Password:    n.opts.Auth.Password,
			TLS:         n.opts.TLS,
			Compression: ch.CompressionLZ4,
			ClientName:  "sluice-consumer",
			Settings:    settings,
			DialTimeout: dialTimeout,
			ReadTimeout: insertTimeout,
		})
		if err == nil {
			return client, nil
		}
		errs = append(errs, fmt.Errorf("connect to clickhouse at %s: %w", addr, err))
	}
	return nil, errors.Join(errs...)
}

func (n *nativeInserter) close() {
	if n.client != nil {
		_ = n.client.Close()
		n.client = nil
	}
}

// insertStatement names the columns, so that columns added later by a migration take their defaults. It names the database
// too: a connection into a database that is not there yet is refused at its handshake, which says less than an insert's
// answer does (and is the end of an embedded engine).
func insertStatement(database string, input proto.Input) string {
	names := make([]string, len(input))
	for i, c := range input {
		names[i] = strconv.Quote(c.Name)
	}
	return "INSERT INTO " + database + "." + table + " (" + strings.Join(names, ", ") + ") VALUES"
}
