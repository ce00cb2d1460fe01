package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"sluice/consumer/rows"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
)

const (
	// TableName is the table of the rows.
	TableName = "events_raw"
	// LocalTable is where the rows are on a cluster, on each of its servers; events_raw is then a Distributed table over it.
	LocalTable = "events_local"
	// ShardKey says which shard a row belongs to. It is what hash computes here, so that a resend meets its first copy, and
	// the Distributed table's sharding key, so that a question for one event can be asked of one shard only.
	ShardKey = "xxHash64(concat(project_id, toString(event_id)))"
	// InsertTimeout bounds one attempt; what ClickHouse has not answered by then is tried again.
	InsertTimeout = 2 * time.Minute
	// askTimeout bounds one question.
	askTimeout = 30 * time.Second
	// DialTimeout bounds one attempt to connect.
	DialTimeout = 5 * time.Second
)

// errNotSent: there was no connection.
var ErrNotSent = errors.New("nothing was sent")

// connection is one way to reach the server. One call at a time; close may be called more than once.
type connection interface {
	// open connects, if need be, and learns what the server knows.
	open(ctx context.Context) (*Server, error)
	insert(ctx context.Context, b *rows.Block, settings map[string]string) error
	// offsets asks a question whose answer is rows of _offset and event_id.
	offsets(ctx context.Context, query string, each func(offset int64, id uuid.UUID)) error
	// texts asks one whose answer is texts without tabs and line breaks.
	texts(ctx context.Context, query string, each func(text string)) error
	close()
}

// inserter reads the DSN at each connect, and speaks the protocol that it names.
type inserter struct {
	options func() (*clickhouse.Options, error)
	table   string
	more    map[string]string // settings of its inserts besides the usual ones
	said    func(*Server)     // told at each connect
	now     connection
	name    string // of the database
	known   *Server
}

// newInserter makes one connection. It opens nothing.
func newInserter(cfg Config) *inserter {
	return &inserter{options: cfg.Options, table: TableName}
}

// connected connects if need be. An error closes the connection: the DSN may have changed.
func (i *inserter) connected(ctx context.Context) error {
	if i.now == nil {
		opts, err := i.options()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNotSent, err)
		}
		i.name = opts.Auth.Database
		if opts.Protocol == clickhouse.HTTP {
			http := newHTTPConnection(opts)
			http.table = i.table
			i.now = http
		} else {
			i.now = &nativeConnection{opts: opts, table: i.table}
		}
	}
	known, err := i.now.open(ctx)
	if err != nil {
		i.Close()
		return fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	if err := i.unfit(known); err != nil {
		i.Close()
		return fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	if known != i.known && i.said != nil {
		i.said(known)
	}
	i.known = known
	return nil
}

// unfit says why nothing is inserted there. A Distributed table would answer before the rows are in, and would not know a token again.
func (i *inserter) unfit(s *Server) error {
	switch {
	case i.table == TableName && s.distributed[i.name]:
		return UnfitError(i.name + "." + TableName + " belongs to a cluster: name it with --clickhouse-cluster")
	case i.table == LocalTable && s.Cloud:
		return ErrCloud
	}
	return s.Unfit()
}

func (i *inserter) Insert(ctx context.Context, b *rows.Block, token string) error {
	ctx, cancel := context.WithTimeout(ctx, InsertTimeout)
	defer cancel()
	if err := i.connected(ctx); err != nil {
		return err
	}
	err := i.now.insert(ctx, b, i.known.settings(token, i.more))
	if err != nil {
		i.Close()
	}
	return err
}

func (i *inserter) Missing(ctx context.Context, topic string, partition int, b *rows.Block) ([]int32, error) {
	there, err := i.present(ctx, topic, partition, b)
	if err != nil {
		return nil, err
	}
	var missing []int32
	for n, offset := range b.Offsets() {
		if _, ok := there[stored{offset, b.EventIDs()[n]}]; !ok {
			missing = append(missing, int32(n)) //nolint:gosec // rows of one block
		}
	}
	return missing, nil
}

// stored is a row that the table has.
type stored struct {
	offset int64
	id     uuid.UUID
}

// present reads which rows the table has between the first and the last of b.
func (i *inserter) present(ctx context.Context, topic string, partition int, b *rows.Block) (map[stored]struct{}, error) {
	there := make(map[stored]struct{})
	where := fmt.Sprintf("_topic = %s AND _partition = %d", Quote(topic), partition)
	err := i.offsetsBetween(ctx, where, b.Offsets()[0], b.Offsets()[b.Rows()-1], func(offset int64, id uuid.UUID) { there[stored{offset, id}] = struct{}{} })
	return there, err
}

// between is the question for the rows of a partition of the topic between two offsets.
func between(where string, first, last int64) string {
	return fmt.Sprintf("SELECT _offset, event_id FROM %%s WHERE %s AND _offset BETWEEN %d AND %d", strings.ReplaceAll(where, "%", "%%"), first, last)
}

func (i *inserter) Highest(ctx context.Context, topic string, partition int, from int64) (int64, error) {
	highest := int64(-1)
	query := fmt.Sprintf("SELECT max(_offset), any(event_id) FROM %%s WHERE _topic = %s AND _partition = %d AND _offset >= %d HAVING count() > 0",
		Quote(topic), partition, from)
	err := i.ask(ctx, query, func(offset int64, _ uuid.UUID) { highest = offset })
	return highest, err
}

// ask fills the table's name into a query.
func (i *inserter) ask(ctx context.Context, query string, each func(int64, uuid.UUID)) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if err := i.connected(ctx); err != nil {
		return err
	}
	query = fmt.Sprintf(query, i.name+"."+i.table) + i.known.readClause()
	err := i.now.offsets(ctx, query, each)
	if err != nil {
		i.Close()
	}
	return err
}

// texts asks for texts.
func (i *inserter) texts(ctx context.Context, query string, each func(string)) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if err := i.connected(ctx); err != nil {
		return err
	}
	err := i.now.texts(ctx, query, each)
	if err != nil {
		i.Close()
	}
	return err
}

func (i *inserter) Close() {
	if i.now != nil {
		i.now.close()
		i.now, i.known = nil, nil
	}
}

// Quote is a text as a literal of SQL.
func Quote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

// insertStatement names the columns, so that columns added later by a migration take their defaults. It names the database
// too: a connection into a database that is not there yet is refused at its handshake, which says less than an insert's
// answer does (and is the end of an embedded engine).
func insertStatement(database, table string, input proto.Input) string {
	names := make([]string, len(input))
	for i, c := range input {
		names[i] = strconv.Quote(c.Name)
	}
	return "INSERT INTO " + database + "." + table + " (" + strings.Join(names, ", ") + ") VALUES"
}
