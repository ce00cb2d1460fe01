// Package measure takes the figures that package plan reckons with on the machine at hand. It runs the whole pipeline
// of real parts, each in a process of its own, sends load through the pipeline, and reads from the system how much
// processor time each process took:
//
//	load (this process) ─▶ gateway ─▶ broker ─▶ consumer ─▶ ClickHouse engine
//
// Processor time does not count the time that other programs of the machine take. So a shared machine takes longer, but
// the figures stay nearly the same. Caches that other programs empty still cost time.
//
// The parts are this program, executed again: [Main] turns the second process into the part. A part ends when its
// standard input closes, so no part outlives this process.
//
// To change what runs, see stages.go; how figures follow from the samples, fit.go; processes, part.go and process.go.
package measure
