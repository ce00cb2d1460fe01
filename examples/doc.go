// Package examples holds programs that send events, one folder for each language, and the test that runs all of them
// against the real pipeline. README.md lists them.
package examples
