package embedded

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

const (
	// marking in the environment turns this program into the engine. It is outside SLUICE_, where every name is a setting.
	marking = "_SLUICE_ENGINE"
	// lifelineFD is the descriptor of the pipe that is open as long as the parent lives and wants the engine.
	lifelineFD = 3
)

// What the child's first argument can be.
const (
	asLibrary = "library"
	asServer  = "server"
)

// mainCalled tells Engine.Run that executing this program again leads to Main.
var mainCalled bool

// Main must be called first thing in main, and in TestMain, of every program that uses [Engine]. It returns at once in the program
// itself. In the process that Engine starts by executing the program again, it is the engine and never returns.
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

// args are the child's arguments: how to run, what to load, and the configuration file.
func (s Source) args(dir layout) []string {
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
		return fmt.Errorf("no descriptor %d: this process is started by Sluice only", lifelineFD)
	}
	// Both goroutines live as long as the process. A SIGTERM is an operator's; the parent closes the lifeline.
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
