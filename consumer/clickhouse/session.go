package clickhouse

import (
	"context"
	"fmt"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"

	"sluice/consumer/rows"
)

// connection is one way to reach a server. It is used by one caller at a time. close may be called more than once.
type connection interface {
	// open connects, if need be, and returns what is known of the server.
	open(ctx context.Context) (*Server, error)
	// sendBlock inserts a block into a table with the given settings. It sends the block as one, so that the block's
	// token counts.
	sendBlock(ctx context.Context, table string, columns proto.Input, settings map[string]string) error
	// stored asks a question whose answer has rows of a partition, an offset and an event's id.
	stored(ctx context.Context, text string, each func(partition int, row storedRow)) error
	// pairs asks a question whose answer has rows of two numbers.
	pairs(ctx context.Context, text string, each func(a, b int64)) error
	close()
}

// session is one connection to a server, made when it is needed. It reads the DSN at each connect and speaks the
// protocol that the DSN names. It is used by one caller at a time.
type session struct {
	options   func() (*clickhouse.Options, error)
	table     string
	extra     map[string]string // settings of its inserts besides the usual ones
	connected func(*Server)     // is told of the server at each connect; nil: nobody is
	conn      connection
	database  string
	server    *Server
}

// newSession is a session with the DSN's server. It opens nothing.
func newSession(cfg Config) *session { return &session{options: cfg.Options, table: TableName} }

// connect connects if need be. An error closes the connection, because the DSN may have changed.
func (s *session) connect(ctx context.Context) error {
	if s.conn == nil {
		opts, err := s.options()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNotSent, err)
		}
		s.database = opts.Auth.Database
		if opts.Protocol == clickhouse.HTTP {
			s.conn = newHTTPConnection(opts)
		} else {
			s.conn = &nativeConnection{opts: opts}
		}
	}
	server, err := s.conn.open(ctx)
	if err == nil {
		err = s.unsuitable(server)
	}
	if err != nil {
		s.close()
		return fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	if server != s.server && s.connected != nil {
		s.connected(server)
	}
	s.server = server
	return nil
}

// unsuitable says why nothing is inserted into the server, or returns nil. A Distributed table would answer before the
// rows are in, and does not know a token again.
func (s *session) unsuitable(server *Server) error {
	switch {
	case s.table == TableName && server.distributed[s.database]:
		return UnsuitableError(s.database + "." + TableName +
			" belongs to a cluster: name the cluster with --clickhouse-cluster")
	case s.table == LocalTable && server.Cloud:
		return ErrCloud
	}
	return server.Unsuitable()
}

// send inserts the events of some blocks as one, under a token.
func (s *session) send(ctx context.Context, token string, blocks ...*rows.Block) error {
	return s.insert(ctx, s.table, rows.Columns(blocks), token)
}

// insert inserts a block into a table. Without a token a block that comes again is inserted again.
func (s *session) insert(ctx context.Context, table string, columns proto.Input, token string) error {
	ctx, cancel := context.WithTimeout(ctx, InsertTimeout)
	defer cancel()
	if err := s.connect(ctx); err != nil {
		return err
	}
	err := s.conn.sendBlock(ctx, table, columns, s.server.settings(token, s.extra))
	if err != nil {
		s.close()
	}
	return err
}

// askStored asks for rows of the table that meet a condition.
func (s *session) askStored(ctx context.Context, condition string, each func(partition int, row storedRow)) error {
	const selected = "SELECT toInt64(_partition), _offset, event_id"
	return s.question(ctx, selected, condition, func(ctx context.Context, text string) error {
		return s.conn.stored(ctx, text, each)
	})
}

// askPairs asks a question about the table: "SELECT …, …" of two numbers, and the condition.
func (s *session) askPairs(ctx context.Context, selected, condition string, each func(a, b int64)) error {
	return s.question(ctx, selected, condition, func(ctx context.Context, text string) error {
		return s.conn.pairs(ctx, text, each)
	})
}

// question connects if need be, and asks what has been put together.
func (s *session) question(
	ctx context.Context, selected, condition string, ask func(ctx context.Context, text string) error,
) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if err := s.connect(ctx); err != nil {
		return err
	}
	err := ask(ctx, selected+" FROM "+s.database+"."+s.table+" WHERE "+condition+s.server.readClause())
	if err != nil {
		s.close()
	}
	return err
}

func (s *session) close() {
	if s.conn != nil {
		s.conn.close()
		s.conn, s.server = nil, nil
	}
}
