// Release builds what is published of a version: an archive of the three programs for each system, a software bill of
// materials (SBOM, CycloneDX) for each program, and SHA256SUMS of all of them.
//
// Two builds of one commit with one version of Go give the same bytes, in whatever directory: paths are cut from the
// binaries, archives have the time of the commit and no owner, and nothing that differs between machines is read.
// -check proves it.
//
// The binaries for Linux are static. They leave out the loader of the embedded ClickHouse engine, which needs a C
// library, so that `sluice dev` needs a clickhouse program on the path there.
//
// Usage, in the root of the repository:
//
//	go run ./internal/tools/release -out dist
//	go run ./internal/tools/release -check
package main
