package embedded

import (
	"fmt"
	"path/filepath"
	"runtime"
)

// EngineVersion is the pinned version of the npm packages that carry the engine.
const EngineVersion = "26.7.3-stable.1"

// bundle is one npm package that carries the engine for one platform.
type bundle struct {
	// name and version are what npm is asked for.
	name, version string
	// integrity is the npm "dist.integrity" of the package: "sha512-" and base64. Empty where it could not be pinned: npm then
	// checks the package against what the registry says of it, and that digest is recorded.
	integrity string
	// library is the one file that is kept.
	library string
	// packed is the size of the download in bytes, for the progress bar only; 0 if unknown.
	packed int64
}

// bundles by GOOS/GOARCH. To change the version, read each digest with: npm view NAME@VERSION dist.integrity.
// Where none is given, npm's own check of what it fetched stands alone, and a warning says so.
var bundles = map[string]bundle{
	"linux/amd64": {
		name: "@chdb/lib-linux-x64-gnu", library: "libchdb.so", packed: 177_817_999,
		integrity: "sha512-XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw==",
	},
	"linux/arm64":  {name: "@chdb/lib-linux-arm64-gnu", library: "libchdb.so"},
	"darwin/arm64": {name: "@chdb/lib-darwin-arm64", library: "libchdb.so"},
	"darwin/amd64": {name: "@chdb/lib-darwin-x64", library: "libchdb.so"},
}

// hostBundle is the package for this machine, or the reason why there is none.
func hostBundle() (bundle, error) {
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
	b.version = EngineVersion
	return b, nil
}

// onMusl tells whether the system's C library is musl, as on Alpine, without a glibc loader beside it.
func onMusl() bool {
	if runtime.GOOS != "linux" {
		return false
	}
	musl, _ := filepath.Glob("/lib/ld-musl-*.so.1")
	glibc, _ := filepath.Glob("/lib*/ld-linux-*.so*")
	return len(musl) > 0 && len(glibc) == 0
}
