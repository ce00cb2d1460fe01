package measure

import (
	"context"
	"errors"
	"os"
	"testing"
)

// TestMain turns this program into the parts that the tests start.
func TestMain(m *testing.M) {
	Main(Parts{
		Gateway: func(ctx context.Context, place Place, ready func(string)) error {
			ready("at " + place.Key)
			<-ctx.Done()
			return nil
		},
		Consumer: func(_ context.Context, place Place, _ func(string)) error {
			return errors.New("no such broker: " + place.Broker)
		},
	})
	os.Exit(m.Run())
}
