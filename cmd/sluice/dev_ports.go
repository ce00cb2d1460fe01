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

// port is an address that dev listens on, and the flag that changes it.
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

// checkPorts finds out before anything is fetched, started or made whether all addresses can be had, and names all that
// cannot. It waits for a previous sluice dev on the same data directory that is still stopping.
func (d *dev) checkPorts(ctx context.Context) error {
	err := tryPorts(d.cmd.ports())
	if err == nil {
		return nil
	}
	for folder, used := range map[string]bool{"kafka": d.cmd.KafkaAddr != "", "clickhouse": d.cmd.ClickHouseAddr != ""} {
		if !used {
			continue
		}
		if err := embedded.WaitReleased(ctx, filepath.Join(d.cmd.DataDir, folder), d.log); err != nil {
			return err
		}
	}
	return tryPorts(d.cmd.ports())
}

// tryPorts opens all at once, so that two flags with the same address are found as well, and closes them again.
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
	return fmt.Errorf("cannot listen on %s; stop what uses these addresses, or choose others with these flags", strings.Join(taken, ", "))
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
