package explore

import (
	"net/http"
	"time"
)

// Config says where the database is.
type Config struct {
	// Addr is the address of ClickHouse's HTTP interface, host:port.
	Addr string
	// User is a user without a password who may only read.
	User string
	// Database has the views to read.
	Database string
}

// Explorer answers questions about the events. It is a http.Handler.
type Explorer struct {
	clickhouse *clickhouse
	running    chan struct{} // a place for each statement that may run at once
	events     cached
	issues     cached
	handler    http.Handler
}

// statements is how many statements may run at once.
const statements = 2

// New returns an explorer. It opens nothing.
func New(cfg Config) *Explorer {
	e := &Explorer{
		clickhouse: newClickHouse(cfg), running: make(chan struct{}, statements),
		events: cached{sql: eventsSQL, fresh: time.Second}, issues: cached{sql: issuesSQL, fresh: 3 * time.Second},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /console/events", e.answerCached(&e.events))
	mux.HandleFunc("GET /console/issues", e.answerCached(&e.issues))
	mux.HandleFunc("GET /console/examples", e.answerExamples)
	mux.HandleFunc("POST /console/query", e.answerQuery)
	e.handler = sameSite(mux)
	return e
}

// ServeHTTP is part of http.Handler.
func (e *Explorer) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.handler.ServeHTTP(w, r) }
