package clients

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// page opens a page in Chromium whose script, bundled with its packages, sends.
func page(script string) func(t *testing.T, url, key string) {
	return func(t *testing.T, gateway, key string) {
		t.Helper()
		chromium := find(t, "chromium")
		dir := nodeFolder(t)
		site := t.TempDir()
		runs(t, dir, filepath.Join(dir, "node_modules", ".bin", "esbuild"), script, "--bundle", "--format=iife",
			"--log-level=warning", "--outfile="+filepath.Join(site, "page.js"))
		html := `<!doctype html><title>Shop</title><script src="page.js"></script>`
		require.NoError(t, os.WriteFile(filepath.Join(site, "index.html"), []byte(html), 0o600))
		server := httptest.NewServer(http.FileServer(http.Dir(site)))
		defer server.Close()

		ctx := browser(t, chromium)
		address := server.URL + "/?" + url.Values{"url": {gateway}, "key": {key}}.Encode()
		require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(address)))
		sent, err := chromedp.Run(ctx, chromedp.Evaluate[any]("window.sent", chromedp.EvalAwaitPromise))
		require.NoError(t, err)
		require.Equal(t, true, sent, fmt.Sprint(sent))
	}
}

// browser starts a browser without a window that reaches this machine only.
func browser(t *testing.T, chromium string) context.Context {
	t.Helper()
	home := t.TempDir()
	ctx, stop := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.UserDataDir(home), chromedp.Env("HOME="+home, "TMPDIR="+home),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"),
		chromedp.WSURLReadTimeout(time.Minute))...)
	t.Cleanup(stop)
	ctx, closeBrowser := chromedp.NewContext(ctx)
	t.Cleanup(closeBrowser)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) }) // waits until the browser has ended
	ctx, timeout := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(timeout)
	require.NoError(t, chromedp.Do(ctx), "start chromium")
	return ctx
}
