package gateway

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestRevokedUnderLoad: a project's key is taken out of the file, under load. Soon none of its requests passes any
// more, and none does later. No other request fails, although the file is replaced again and again: by renaming, as editors do, and
// through a symlink, as Kubernetes does it.
func TestRevokedUnderLoad(t *testing.T) {
	const both = "projects:\n  - {id: demo, keys: [{name: t, sha256: KEY}], limit: {unlimited: true}}\n  - {id: gone, keys: [{name: g, sha256: GONE}], limit: {unlimited: true}}\n"
	text := strings.NewReplacer("KEY", hash(testKey), "GONE", hash("gone-key")).Replace(both)
	dir := t.TempDir()
	version := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "projects.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(name, filepath.Join(dir, "data.next")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "data.next"), filepath.Join(dir, "data")); err != nil {
			t.Fatal(err)
		}
	}
	version("1", text)
	if err := os.Symlink(filepath.Join("data", "projects.yaml"), filepath.Join(dir, "projects.yaml")); err != nil {
		t.Fatal(err)
	}
	s := serve(t, func(c *Config, d *Deps) {
		c.ProjectsFile, d.Projects, d.Now = filepath.Join(dir, "projects.yaml"), nil, time.Now
	})

	var sent, lastPassed atomic.Int64
	stop := make(chan struct{})
	var load sync.WaitGroup
	clients := func(key string, judge func(status int)) {
		for range 4 {
			load.Go(func() {
				pace := time.NewTicker(2 * time.Millisecond)
				defer pace.Stop()
				for {
					select {
					case <-stop:
						return
					case <-pace.C:
					}
					sent.Add(1)
					judge(s.do(request{path: pathEvents, body: `{"message":"x"}`, noKey: true, header: map[string]string{"X-Api-Key": key}}).status)
				}
			})
		}
	}
	clients(testKey, func(status int) {
		if status != 202 {
			t.Errorf("another project's request was answered %d", status)
		}
	})
	clients("gone-key", func(status int) {
		switch status {
		case 202:
			lastPassed.Store(time.Now().UnixNano())
		case 401:
		default:
			t.Errorf("the revoked project's request was answered %d", status)
		}
	})
	waitUntil(t, func() bool { return sent.Load() > 200 && lastPassed.Load() > 0 })
	version("2", text+"# the same\n")
	version("3", strings.Replace(text, "gone-key", "x", 1)+"# the same again\n")
	revoked := time.Now()
	version("4", strings.Replace(text, hash("gone-key"), hash("another"), 1))
	// The gateway looks at the file every 2 s. So the project does not come back at the next look.
	waitUntil(t, func() bool { return time.Since(time.Unix(0, lastPassed.Load())) > 3*time.Second })
	close(stop)
	load.Wait()
	after := time.Unix(0, lastPassed.Load()).Sub(revoked)
	// It takes a second on an idle machine. A gateway that misses the change lets the project pass for ever.
	if after > 20*time.Second {
		t.Errorf("the revoked project passed for another %s", after)
	}
	t.Logf("%d requests; the revoked project's last one passed %s after the change", sent.Load(), max(0, after))
}
