// Package explore lets the console of sluice dev read ClickHouse: the last events, the issues, and one SQL statement at
// a time.
//
// It must never be public, and no other web page may use it through the reader's browser. Four things keep it so:
//
//   - ClickHouse: the user of package embedded that may only read the database sluice, in readonly mode, with limits on
//     time, memory, rows and threads. It has no right to files, URLs or other servers.
//   - [Explorer] refuses the one function that needs no right and reads any file of the machine (guard.go).
//   - The Host header must be an IP address or localhost, so that a foreign name that resolves to this machine leads
//     nowhere.
//   - A statement comes by POST, as JSON, and not from a page of another origin.
package explore
