package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"

	"sluice/internal/embedded"
)

// port is an address that dev listens on, with the flag that changes it.
type port struct{ flag, addr string }

func (c devCmd) ports() []port {
	all := []port{
		{"http-addr", c.Gateway.HTTPAddr},
		{"admin-addr", c.Process.AdminAddr},
		{"consumer-admin-addr", c.ConsumerAdminAddr},
	}
	if c.KafkaAddr != "" {
		all = append(all, port{"kafka-addr", c.KafkaAddr})
	}
	if c.ClickHouseAddr != "" {
		all = append(all, port{"clickhouse-addr", c.ClickHouseAddr}, port{"clickhouse-http-addr", c.ClickHouseHTTPAddr})
	}
	return all
}

// folders returns the data directories of the servers that dev starts.
func (c devCmd) folders() []string {
	var out []string
	if c.KafkaAddr != "" {
		out = append(out, filepath.Join(c.DataDir, "kafka"))
	}
	if c.ClickHouseAddr != "" {
		out = append(out, filepath.Join(c.DataDir, "clickhouse"))
	}
	return out
}

// checkPlaces checks dev's folders and all its addresses before dev downloads, starts or creates anything. Its error
// names every address that is in use. checkPlaces waits for a previous sluice dev on the same data directory that is
// still stopping.
func (d *dev) checkPlaces(ctx context.Context) error {
	for _, folder := range d.cmd.folders() {
		if err := embedded.CheckOwn(folder); err != nil {
			return err
		}
	}
	if tryPorts(d.cmd.ports()) == nil {
		return nil
	}
	for _, folder := range d.cmd.folders() {
		if err := embedded.WaitReleased(ctx, folder, d.log); err != nil {
			return err
		}
	}
	return tryPorts(d.cmd.ports())
}

// tryPorts opens all addresses at the same time, which also finds two flags with the same address, and closes them
// again.
func tryPorts(ports []port) error {
	var taken []string
	held := map[string]string{}
	for _, p := range ports {
		l, err := net.Listen("tcp", p.addr)
		if err == nil {
			defer l.Close() //nolint:errcheck // nothing was accepted
			held[l.Addr().String()] = p.flag
			continue
		}
		taken = append(taken, fmt.Sprintf("%s (--%s: %s)", p.addr, p.flag, whyNot(p, held, err)))
	}
	if len(taken) == 0 {
		return nil
	}
	return fmt.Errorf("cannot listen on %s; "+
		"stop the programs that use these addresses, or choose others with these flags", strings.Join(taken, ", "))
}

func whyNot(p port, held map[string]string, err error) string {
	if other, ok := held[p.addr]; ok {
		return "the same as --" + other
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return "in use by another program"
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err.Error()
	}
	return err.Error()
}
