package tests

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Every set of values renders, and all of it decodes strictly. So does a release with another, longer name.
func TestEverySetDecodesStrictly(t *testing.T) {
	t.Parallel()
	want := map[string]int{"minimal": 14, "production": 27, "spool": 16, "bare": 9}
	eachSet(t, func(t *testing.T, r *release) {
		_, set, _ := strings.Cut(t.Name(), "/")
		assert.GreaterOrEqual(t, len(r.objects), want[set], r.kinds())
		assert.Contains(t, r.notes, "Sluice is installed")
	})
}

// The decoder refuses what Kubernetes would drop or refuse: the tests above rest on that.
func TestTheDecoderIsStrict(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n"
	for name, text := range map[string]string{
		"unknown field":  head + "spec: {port: 80}\n",
		"field twice":    head + "spec: {type: ClusterIP, type: NodePort}\n",
		"wrong type":     head + "spec: {ports: [{port: http}]}\n",
		"unknown kind":   "apiVersion: v1\nkind: Servise\nmetadata: {name: a}\n",
		"misplaced spec": "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: a}\nspec: {minReplicas: 1}\n",
	} {
		var r release
		assert.Error(t, r.add("x.yaml", text), name)
	}
	var r release
	assert.NoError(t, r.add("x.yaml", head+"spec: {type: ClusterIP}\n"))
}

func TestEveryPodIsConfined(t *testing.T) {
	t.Parallel()
	eachSet(t, func(t *testing.T, r *release) {
		require.NotEmpty(t, r.workloads())
		for _, p := range r.workloads() {
			spec := p.spec
			if assert.NotNil(t, spec.AutomountServiceAccountToken, p.owner) {
				assert.False(t, *spec.AutomountServiceAccountToken, p.owner)
			}
			if assert.NotNil(t, spec.EnableServiceLinks, "%s: service links would set SLUICE_ variables", p.owner) {
				assert.False(t, *spec.EnableServiceLinks, p.owner)
			}
			assert.False(t, spec.HostNetwork || spec.HostPID || spec.HostIPC, p.owner)
			if assert.NotNil(t, spec.SecurityContext, p.owner) {
				assert.True(t, *spec.SecurityContext.RunAsNonRoot, p.owner)
				assert.EqualValues(t, 65532, *spec.SecurityContext.RunAsUser, "%s: the user of deploy/Dockerfile", p.owner)
				assert.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, spec.SecurityContext.SeccompProfile.Type, p.owner)
			}
			for _, v := range spec.Volumes {
				assert.Nil(t, v.HostPath, p.owner)
			}
			for _, c := range append(spec.InitContainers, spec.Containers...) {
				confined(t, p.owner, c)
			}
		}
	})
}

func confined(t *testing.T, owner string, c corev1.Container) {
	t.Helper()
	s := c.SecurityContext
	require.NotNil(t, s, owner)
	assert.True(t, *s.RunAsNonRoot, owner)
	assert.True(t, *s.ReadOnlyRootFilesystem, owner)
	assert.False(t, *s.AllowPrivilegeEscalation, owner)
	assert.False(t, *s.Privileged, owner)
	assert.Equal(t, []corev1.Capability{"ALL"}, s.Capabilities.Drop, owner)
	assert.Empty(t, s.Capabilities.Add, owner)

	assert.False(t, c.Resources.Limits.Memory().IsZero(), "%s: no memory limit", owner)
	assert.False(t, c.Resources.Requests.Memory().IsZero(), "%s: no memory request", owner)
	assert.False(t, c.Resources.Requests.Cpu().IsZero(), "%s: no CPU request", owner)

	_, tag, tagged := strings.Cut(c.Image[strings.LastIndex(c.Image, "/")+1:], ":")
	assert.True(t, tagged, "%s: image %s has neither tag nor digest", owner, c.Image)
	assert.NotEqual(t, "latest", tag, owner)

	for _, m := range c.VolumeMounts {
		assert.Empty(t, m.SubPath, "%s: %s would not follow changes", owner, m.MountPath)
		assert.Empty(t, m.SubPathExpr, owner)
	}
}

// What runs on and on is probed on the admin port, and has time to drain.
func TestProbesAndGrace(t *testing.T) {
	t.Parallel()
	eachSet(t, func(t *testing.T, r *release) {
		for _, p := range r.workloads() {
			if !p.long {
				continue
			}
			for _, c := range p.spec.Containers {
				for path, probe := range map[string]*corev1.Probe{
					"/livez": c.LivenessProbe, "/readyz": c.ReadinessProbe,
				} {
					require.NotNil(t, probe, "%s: %s", p.owner, path)
					assert.Equal(t, path, probe.HTTPGet.Path, p.owner)
					assert.Equal(t, "admin", probe.HTTPGet.Port.StrVal, p.owner)
				}
				assert.Equal(t, "/livez", c.StartupProbe.HTTPGet.Path, p.owner)
				var drain int64
				for _, name := range []string{"SLUICE_DRAIN_DELAY", "SLUICE_DRAIN_TIMEOUT"} {
					if seconds, set := strings.CutSuffix(variable(c, name), "s"); set {
						n, err := strconv.ParseInt(seconds, 10, 64)
						require.NoError(t, err)
						drain += n
					}
				}
				if p.component() == "gateway" || p.component() == "consumer" {
					assert.Positive(t, drain, p.owner)
				}
				assert.GreaterOrEqual(t, *p.spec.TerminationGracePeriodSeconds, drain+5, p.owner)
			}
		}
	})
}

func variable(c corev1.Container, name string) string {
	for _, e := range c.Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

// No object is stopped for an update before its successor is ready, except where each pod has a volume.
func TestUpdatesKeepTheNumber(t *testing.T) {
	t.Parallel()
	eachSet(t, func(t *testing.T, r *release) {
		for _, d := range all[*appsv1.Deployment](r) {
			assert.Zero(t, d.Spec.Strategy.RollingUpdate.MaxUnavailable.IntValue(), d.Name)
			assert.Equal(t, 1, d.Spec.Strategy.RollingUpdate.MaxSurge.IntValue(), d.Name)
		}
	})
}

// GOMEMLIMIT leaves a part of the container's memory to what Go does not count, and is not far below it.
func TestGoObeysTheContainersLimits(t *testing.T) {
	t.Parallel()
	eachSet(t, func(t *testing.T, r *release) {
		for _, p := range r.workloads() {
			if !p.long {
				continue
			}
			c := p.spec.Containers[0]
			text, ok := strings.CutSuffix(variable(c, "GOMEMLIMIT"), "MiB")
			require.True(t, ok, "%s: GOMEMLIMIT is %q", p.owner, variable(c, "GOMEMLIMIT"))
			n, err := strconv.ParseInt(text, 10, 64)
			require.NoError(t, err)
			limit := c.Resources.Limits.Memory().Value()
			assert.InDelta(t, 0.85, float64(n<<20)/float64(limit), 0.01, p.owner)
			if c.Resources.Limits.Cpu().IsZero() { // with a limit Go does this by itself
				procs, err := strconv.ParseInt(variable(c, "GOMAXPROCS"), 10, 64)
				require.NoError(t, err, p.owner)
				assert.GreaterOrEqual(t, procs*1000, c.Resources.Requests.Cpu().MilliValue(), p.owner)
			}
		}
	})
}

// Names and labels are valid, also for the longest release name that Helm takes (53 characters).
func TestNamesFit(t *testing.T) {
	t.Parallel()
	values := map[string]any{
		"image": map[string]any{"tag": strings.Repeat("v", 100)}, "kafka": map[string]any{"brokers": []any{"k:1"}},
		"clickhouse": map[string]any{"secret": "s"}, "projects": map[string]any{"secret": "p"},
		"monitoring": map[string]any{
			"serviceMonitors": map[string]any{"enabled": true}, "rules": map[string]any{"enabled": true},
			"dashboards": map[string]any{"enabled": true},
		},
	}
	long, err := render(strings.Repeat("r", 53), values)
	require.NoError(t, err)
	check := func(t *testing.T, r *release) {
		names := map[string]bool{}
		for _, o := range r.objects {
			assert.Empty(t, validation.IsDNS1123Label(o.meta().GetName()), o)
			assert.LessOrEqual(t, len(o.meta().GetName()), 63, o)
			assert.False(t, names[o.String()], "%s is there twice", o)
			names[o.String()] = true
			for key, value := range o.meta().GetLabels() {
				assert.Empty(t, validation.IsQualifiedName(key), o)
				assert.Empty(t, validation.IsValidLabelValue(value), "%s: %s", o, key)
			}
		}
		for _, s := range all[*appsv1.StatefulSet](r) { // the label with the revision is name-hash
			assert.LessOrEqual(t, len(s.Name)+11, 63)
		}
	}
	check(t, long)
	eachSet(t, check)
}
