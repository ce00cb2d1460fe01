package embedded

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
	// registryPatience is how long the npm registry may take to say that it has the package.
	registryPatience = 20 * time.Second
	// stallPatience is how long a download that has begun may bring nothing.
	stallPatience = 2 * time.Minute
)

var (
	errNoNPM    = errors.New("npm is not installed")
	errRegistry = errors.New("the npm registry cannot be reached")
)

// npmCode finds the code of an error in what npm prints.
var npmCode = regexp.MustCompile(`(?m)^npm (?:error|ERR!) code (\S+)`)

// unreachableCodes are npm's codes for a registry that does not answer.
var unreachableCodes = []string{
	"ENOTFOUND", "EAI_AGAIN", "EAI_FAIL", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "EPIPE",
	"ERR_SOCKET_TIMEOUT", "FETCH_ERROR",
}

// reach asks the registry for the package's version, because "npm pack" alone tries for more than a minute before it
// says that nobody answers. Any other answer, such as that there is no such package, is left to the download.
func (d download) reach(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, d.patience)
	defer cancel()
	_, _ = fmt.Fprintln(d.out, "asking the npm registry for the ClickHouse engine")
	cmd := exec.CommandContext(asking, d.npm, "view", d.want.name+"@"+d.want.version, "version", //nolint:gosec // from PATH
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

// unreachableRegistry is the error if npm says that nobody answers, else nil.
func unreachableRegistry(said string) error {
	if found := npmCode.FindStringSubmatch(said); found != nil && slices.Contains(unreachableCodes, found[1]) {
		return fmt.Errorf("%w: %s", errRegistry, found[1])
	}
	return nil
}

// waysOn says what to do about a reason why there is no engine.
func waysOn(reason error) string {
	const others = "have a clickhouse binary on PATH; or use a server that already runs with --clickhouse DSN"
	switch {
	case errors.Is(reason, errNoNPM):
		return "install npm (it comes with Node.js), so that the engine can be fetched; or " + others
	case errors.Is(reason, errRegistry):
		return "check the network, and npm's settings registry, proxy and https-proxy (npm config list); or " + others
	default:
		return others
	}
}
