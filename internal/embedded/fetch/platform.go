package fetch

import (
	"fmt"
	"path/filepath"
	"runtime"
)

// Version is the pinned version of the npm packages that contain the engine.
const Version = "26.7.3-stable.1"

// bundle is one npm package with the engine for one platform.
type bundle struct {
	// name and version are the package's name and version for npm.
	name, version string
	// integrity is the npm "dist.integrity" of the package: "sha512-" and base64. If it is empty, only npm checks the
	// package, against the registry's digest, and the marker records that digest.
	integrity string
	// library is the only file to keep.
	library string
	// packed is the size of the download in bytes, for the progress bar only; 0: unknown.
	packed int64
}

// bundles holds the packages by GOOS/GOARCH. To change the version, read each digest with: npm view NAME@VERSION
// dist.integrity. Without a digest only npm checks the package, and a warning says so.
var bundles = map[string]bundle{
	"linux/amd64": {
		name: "@chdb/lib-linux-x64-gnu", library: "libchdb.so", packed: 177_817_999,
		integrity: "sha512-XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw==",
	},
	"linux/arm64":  {name: "@chdb/lib-linux-arm64-gnu", library: "libchdb.so"},
	"darwin/arm64": {name: "@chdb/lib-darwin-arm64", library: "libchdb.so"},
	"darwin/amd64": {name: "@chdb/lib-darwin-x64", library: "libchdb.so"},
}

// hostBundle returns the package for this machine, or the reason for having none.
func hostBundle(canLoad bool) (bundle, error) {
	platform := runtime.GOOS + "/" + runtime.GOARCH
	b, ok := bundles[platform]
	switch {
	case !ok:
		return bundle{}, fmt.Errorf("no engine is packaged for %s", platform)
	case !canLoad:
		return bundle{}, fmt.Errorf("this program was built without the engine (build tag noengine)")
	case onMusl():
		return bundle{}, fmt.Errorf("the packaged engine needs glibc, and this system has musl")
	}
	b.version = Version
	return b, nil
}

// onMusl reports whether the system's C library is musl, as on Alpine, without a glibc loader.
func onMusl() bool {
	if runtime.GOOS != "linux" {
		return false
	}
	musl, _ := filepath.Glob("/lib/ld-musl-*.so.1")
	glibc, _ := filepath.Glob("/lib*/ld-linux-*.so*")
	return len(musl) > 0 && len(glibc) == 0
}
