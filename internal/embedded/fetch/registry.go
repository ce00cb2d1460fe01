package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"time"
)

const (
	// registryPatience is how long the npm registry may take to find the package.
	registryPatience = 20 * time.Second
	// stallPatience is how long a download that has begun may receive no bytes.
	stallPatience = 2 * time.Minute
)

var (
	errNoNPM    = errors.New("npm is not installed")
	errRegistry = errors.New("cannot reach the npm registry")
)

// npmCode matches the code of an error in npm's output.
var npmCode = regexp.MustCompile(`(?m)^npm (?:error|ERR!) code (\S+)`)

// unreachableCodes are npm's codes for a registry that does not answer.
var unreachableCodes = []string{
	"ENOTFOUND", "EAI_AGAIN", "EAI_FAIL", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH",
	"EPIPE", "ERR_SOCKET_TIMEOUT", "FETCH_ERROR",
}

// reach asks the registry for the package's version. "npm pack" alone tries for more than a minute before it reports a
// registry that does not answer. The download reports other errors, for instance a missing package.
func (d download) reach(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, d.patience)
	defer cancel()
	_, _ = fmt.Fprintln(d.out, "asking the npm registry for the ClickHouse engine")
	cmd := exec.CommandContext(asking, d.npm, "view", d.want.name+"@"+d.want.version, "version",
		"--loglevel=error", "--fetch-retries=0")
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.WaitDelay = 2 * time.Second
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case asking.Err() != nil:
		return fmt.Errorf("%w: no answer within %s", errRegistry, d.patience)
	case err != nil:
		return unreachableRegistry(said.String())
	}
	return nil
}

// unreachableRegistry returns an error if npm's output says that the registry does not answer, else nil.
func unreachableRegistry(said string) error {
	if found := npmCode.FindStringSubmatch(said); found != nil && slices.Contains(unreachableCodes, found[1]) {
		return fmt.Errorf("%w: %s", errRegistry, found[1])
	}
	return nil
}

// waysOn suggests remedies for a missing engine, by the reason.
func waysOn(reason error) string {
	const others = "put a clickhouse binary on PATH; or use a running server with --clickhouse DSN"
	switch {
	case errors.Is(reason, errNoNPM):
		return "install npm (it comes with Node.js), to fetch the engine; or " + others
	case errors.Is(reason, errRegistry):
		return "check the network, and npm's settings registry, proxy and https-proxy (npm config list); or " + others
	default:
		return others
	}
}
