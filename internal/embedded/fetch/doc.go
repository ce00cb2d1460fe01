// Package fetch finds a ClickHouse engine for this machine: a shared library in the cache, fetched with npm if it is
// missing, or else a clickhouse binary on PATH.
//
// A library is used only if its package matches the pinned digest (see bundles in platform.go, which also says how to
// change the version). An entry of the cache appears whole or not at all, so an interrupted fetch leaves nothing to
// use. Concurrent callers fetch once.
//
// To change what is asked of npm, see registry.go and download.go; to change the cache's layout, see cache.go.
package fetch
