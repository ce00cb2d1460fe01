// Package testlog collects log messages for tests.
package testlog
