package measure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"sluice/internal/embedded"
)

// marking is a variable of the environment that turns this program into a part. Its name lacks the prefix SLUICE_,
// which marks settings.
const marking = "_SLUICE_PLAN_PART"

// The names of the parts. ClickHouse's engine has a process of its own without being a part.
const (
	partBroker   = "broker"
	partGateway  = "gateway"
	partConsumer = "consumer"
)

// Place says where a part finds the others.
type Place struct {
	// Dir is the folder of the part's own data.
	Dir string
	// Broker is the address of Kafka, as host:port. Empty for the broker itself.
	Broker string
	// ClickHouse is the DSN. Only the consumer has it.
	ClickHouse string
	// Key is the key that the gateway takes. Its project has no limit.
	Key string
}

// A Part runs until ctx ends. It calls ready once, with its address, as soon as it serves.
type Part func(ctx context.Context, place Place, ready func(addr string)) error

// Parts are the programs under measurement. They come from the caller, because internal packages do not know them.
type Parts struct {
	// Gateway serves on a free port of the loopback interface and gives that address.
	Gateway Part
	// Consumer first applies the schema. Its address is empty.
	Consumer Part
}

// Main must be called early in main by every program that uses [Run]. In the program itself it returns at once. In the
// process of a part, which is the same program, it runs the part and never returns.
func Main(parts Parts) {
	mainCalled = true
	name := os.Getenv(marking)
	if name == "" {
		return
	}
	// Ctrl-C on a terminal goes to the parts too. They end when the program that started them closes their input.
	signal.Ignore(os.Interrupt, syscall.SIGHUP)
	if err := become(name, parts); err != nil {
		fmt.Fprintln(os.Stderr, "sluice plan:", name+":", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// mainCalled tells Run that this program, executed again, calls Main.
var mainCalled bool

// become runs a part until standard input closes.
func become(name string, parts Parts) error {
	part, ok := map[string]Part{
		partBroker: serveBroker, partGateway: parts.Gateway, partConsumer: parts.Consumer,
	}[name]
	if !ok {
		return errors.New("there is no part with this name")
	}
	var place Place
	input := json.NewDecoder(os.Stdin)
	if err := input.Decode(&place); err != nil {
		return fmt.Errorf("read the place: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { // ends with the process
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	return part(ctx, place, func(addr string) { fmt.Println("ready " + addr) })
}

func serveBroker(ctx context.Context, place Place, ready func(string)) error {
	broker := embedded.NewBroker(embedded.BrokerConfig{
		Addr: "127.0.0.1:0", DataDir: filepath.Join(place.Dir, "kafka"),
	})
	done := make(chan error, 1)
	go func() { done <- broker.Run(ctx) }()
	select {
	case err := <-done:
		return err
	case <-broker.Ready():
		ready(broker.Addr())
		return <-done
	}
}
