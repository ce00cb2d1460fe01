// Package testbrowser starts a real browser for tests of pages.
package testbrowser

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// lifetime is how long a test may use its browser.
const lifetime = 5 * time.Minute

// Start starts a headless Chromium that reaches this machine only, and ends it with the test. The result is the context
// for chromedp's actions. Without Chromium the test is skipped, but fails where CI is true.
func Start(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("chromium is not on the path; .ci/run installs it")
		}
		t.Skip("chromium is not on the path: install the package chromium to test with a real browser")
	}
	home := t.TempDir()
	ctx, stop := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(home), chromedp.Env("HOME="+home, "TMPDIR="+home),
		chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"),
		chromedp.WSURLReadTimeout(time.Minute),
	)...)
	t.Cleanup(stop)
	ctx, closeBrowser := chromedp.NewContext(ctx)
	t.Cleanup(closeBrowser)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) }) // waits for its end
	ctx, timeout := context.WithTimeout(ctx, lifetime)
	t.Cleanup(timeout)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return ctx
}
