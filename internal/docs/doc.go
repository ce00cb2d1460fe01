// Package docs keeps the documents in step with the code. Tests import it; no program does.
//
// The tables of docs/settings.md come from kong's model of each program. Those of docs/metrics.md come from the
// collectors that the gateway and the consumer register. The tests of cmd/gateway, cmd/consumer and cmd/sluice compare
// the tables with the files, because each program's settings are in its own package main. With -docs.update, which
// `make docs` gives, the tests write the files.
//
// This package's own tests hold all Markdown files of the project against the tree: links resolve, and the flags,
// metrics, tests and make targets that a text names exist.
package docs
