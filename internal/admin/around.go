package admin

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// Around runs a service with its admin port: the port opens before run begins, so that an occupied one is said at once, and
// closes after it has returned, so that the drain can be watched. If the port fails, run is told to stop.
func (s *Server) Around(ctx context.Context, run func(context.Context) error) error {
	l, err := s.Listen()
	if err != nil {
		return err
	}
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	running, stopRunning := context.WithCancel(ctx)
	defer stopRunning()
	var group errgroup.Group
	group.Go(func() error {
		defer stopRunning()
		return s.Serve(serving, l)
	})
	group.Go(func() error {
		defer stopServing()
		return run(running)
	})
	return group.Wait()
}
