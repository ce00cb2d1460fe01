package tests

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
)

// root is the project's directory, seen from this package.
const root = "../.."

const (
	chartDir  = root + "/deploy/helm/sluice"
	namespace = "events"
)

// valueSets are the files in testdata/values, without .yaml: the sets with which everything is rendered.
var valueSets = []string{"minimal", "production", "spool", "bare"}

// eachSet runs a test for each set of values, on what the chart makes of it.
func eachSet(t *testing.T, test func(t *testing.T, r *release)) {
	t.Helper()
	for _, name := range valueSets {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, renderSet(t, name))
		})
	}
}

var (
	renderedMutex sync.Mutex
	rendered      = map[string]*release{} // by set; tests only read them
)

func renderSet(t *testing.T, name string) *release {
	t.Helper()
	renderedMutex.Lock()
	defer renderedMutex.Unlock()
	if r := rendered[name]; r != nil {
		return r
	}
	values, err := chartutil.ReadValuesFile(filepath.Join("testdata", "values", name+".yaml"))
	require.NoError(t, err)
	r, err := render("sluice", values)
	require.NoError(t, err)
	rendered[name] = r
	return r
}

var loadChart = sync.OnceValues(func() (*chart.Chart, error) { return loader.Load(chartDir) })

// render does what `helm template` does: it checks the values against the schema, renders, and sorts hooks and
// manifests as Helm applies them.
func render(name string, values map[string]any) (*release, error) {
	loaded, err := loadChart()
	if err != nil {
		return nil, err
	}
	return renderChart(loaded, name, values)
}

func renderChart(loaded *chart.Chart, name string, values map[string]any) (*release, error) {
	options := chartutil.ReleaseOptions{Name: name, Namespace: namespace, Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(loaded, values, options, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Engine{Strict: true}.Render(loaded, all)
	if err != nil {
		return nil, err
	}
	r := &release{}
	for path, text := range files {
		if strings.HasSuffix(path, "NOTES.txt") {
			r.notes = text
			delete(files, path)
		}
	}
	hooks, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, err
	}
	for _, m := range manifests {
		if err := r.add(m.Name, m.Content); err != nil {
			return nil, err
		}
	}
	for _, h := range hooks {
		if err := r.add(h.Path, h.Manifest); err != nil {
			return nil, err
		}
		r.hooks = append(r.hooks, h)
	}
	return r, nil
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	return string(text)
}
