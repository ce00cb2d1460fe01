// Package clients holds programs that send with the clients people already have, one folder for each language, and the
// test that runs all of them against the real pipeline. The test compares the rows with golden files.
//
// The versions of the clients are pinned by go/go.mod, python/requirements.txt and node/package-lock.json. The test
// installs them with pip and npm into the user's cache folder, under sluice/clients, so that the tree stays clean and
// the next run finds them. They are no dependencies of this module: go/ is a module of its own.
//
// To add a client: write a program that takes the gateway's URL and a key as arguments and exits with an error if
// something was refused, name the program in clients_test.go, run the test with -update, and read the golden file.
package clients
