// Package questions tests the questions of docs/queries, which analysts ask of the views, and the views under them. It
// has tests only.
//
// Each question is asked of a few events whose answers can be checked by hand (testdata/answers). Each is asked of
// realistic events too, with resends among them, and of a table without resends that a plain query made of them: both
// answers must be the same. BenchmarkQuestions times the questions on ten million rows.
package questions
