package admin

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// Around runs run together with the admin port, and returns the first error of the two. It opens the port before it
// calls run: a port in use is an error at once. It closes the port after run returns, so that an operator can watch the
// drain. If the port fails, the context of run ends.
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
