package embedded

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"sluice/internal/embedded/fetch"
)

const (
	// marking is a variable of the environment that turns this program into the engine. Its name lacks the prefix
	// SLUICE_, which marks settings.
	marking = "_SLUICE_ENGINE"
	// lifelineFD is the descriptor of a pipe. It stays open while the parent lives and needs the engine.
	lifelineFD = 3
)

// These are the values of the child's first argument.
const (
	asLibrary = "library"
	asServer  = "server"
)

// mainCalled tells Engine.Run that this program, executed again, calls Main.
var mainCalled bool

// Main must be the first call in main, and in TestMain, of every program that uses [Engine]. In the program itself it
// returns at once. In the process that Engine starts, which is the same program, it runs the engine and never returns.
func Main() {
	mainCalled = true
	if os.Getenv(marking) == "" {
		return
	}
	if err := become(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sluice-engine:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// args returns the child's arguments: the kind of engine, its path and the configuration file.
func args(s fetch.Source, dir layout) []string {
	if s.Library != "" {
		return []string{asLibrary, s.Library, dir.config()}
	}
	return []string{asServer, s.Server, dir.config()}
}

func become(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("internal arguments: got %d, want 3", len(args))
	}
	lifeline := os.NewFile(lifelineFD, "lifeline")
	if lifeline == nil {
		return fmt.Errorf("no descriptor %d: only Sluice starts this process", lifelineFD)
	}
	// Both goroutines run as long as the process. A SIGTERM comes from an operator; the parent closes the lifeline.
	gone := make(chan struct{})
	end := sync.OnceFunc(func() { close(gone) })
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	go func() {
		<-term
		end()
	}()
	go func() {
		_, _ = io.Copy(io.Discard, lifeline)
		end()
	}()
	if args[0] == asLibrary {
		return runLibrary(args[1], args[2], gone)
	}
	return runServer(args[1], args[2], gone)
}
