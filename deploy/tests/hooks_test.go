package tests

import (
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	helmrelease "helm.sh/helm/v3/pkg/release"
	corev1 "k8s.io/api/core/v1"
)

// The topics come first, then the schema, and both before every object of the release, on installs and on upgrades.
func TestHooksRunInOrder(t *testing.T) {
	t.Parallel()
	for set, want := range map[string][]string{
		"minimal": {"sluice-topics", "sluice-migrate"}, "production": {"sluice-topics", "sluice-migrate"}, "bare": nil,
	} {
		r := renderSet(t, set)
		var before []*helmrelease.Hook
		for _, h := range r.hooks {
			if slices.Contains(h.Events, helmrelease.HookTest) {
				continue
			}
			both := []helmrelease.HookEvent{helmrelease.HookPreInstall, helmrelease.HookPreUpgrade}
			assert.ElementsMatch(t, both, h.Events, h.Name)
			assert.Contains(t, h.DeletePolicies, helmrelease.HookBeforeHookCreation, "a job cannot be changed")
			assert.NotContains(t, h.DeletePolicies, helmrelease.HookFailed, "a failed job's log says why")
			before = append(before, h)
		}
		slices.SortFunc(before, func(a, b *helmrelease.Hook) int { return a.Weight - b.Weight })
		var names []string
		for i, h := range before {
			names = append(names, h.Name)
			assert.True(t, i == 0 || before[i-1].Weight < h.Weight, "%s: equal weights run in the order of names", h.Name)
		}
		assert.Equal(t, want, names, set)
	}
}

// A job that runs before the release has nothing of it: no account, no ConfigMap, no Secret.
func TestHooksNeedNothingOfTheRelease(t *testing.T) {
	t.Parallel()
	eachSet(t, func(t *testing.T, r *release) {
		made := map[string]bool{}
		for _, o := range r.objects {
			made[o.String()] = true
		}
		for _, p := range r.workloads() {
			if p.component() != "topics" && p.component() != "migrate" {
				continue
			}
			assert.False(t, made["ServiceAccount/"+p.spec.ServiceAccountName], p.owner)
			for _, v := range p.spec.Volumes {
				require.NotNil(t, v.Secret, p.owner)
				assert.False(t, made["Secret/"+v.Secret.SecretName], p.owner)
			}
		}
	})
}

func TestHelmTestAsksBothPrograms(t *testing.T) {
	t.Parallel()
	eachSet(t, func(t *testing.T, r *release) {
		asked := map[string]bool{}
		for _, p := range all[*corev1.Pod](r) {
			c := p.Spec.Containers[0]
			asked[variable(c, "SLUICE_ADMIN_ADDR")] = true
			assert.Equal(t, corev1.RestartPolicyNever, p.Spec.RestartPolicy)
		}
		assert.True(t, asked["sluice-gateway-admin:8081"])
		assert.True(t, asked["sluice-consumer-admin:8082"])
	})
}

var (
	secretVariable = regexp.MustCompile(`(PASSWORD|DSN|SECRET|TOKEN|_KEY)$`)
	userinfo       = regexp.MustCompile(`[a-z]+://[^/\s"]*@`)
)

// No secret is in a variable, an argument or a ConfigMap, and the chart makes no Secret: it names them, and mounts
// them as files that only the pod's user reads.
func TestSecretsAreFiles(t *testing.T) {
	t.Parallel()
	eachSet(t, func(t *testing.T, r *release) {
		assert.Empty(t, all[*corev1.Secret](r))
		for _, o := range r.objects {
			assert.NotRegexp(t, userinfo, o.text, o)
		}
		for _, p := range r.workloads() {
			for _, c := range p.spec.Containers {
				assert.Empty(t, c.EnvFrom, p.owner)
				for _, e := range c.Env {
					assert.Nil(t, e.ValueFrom, "%s: %s", p.owner, e.Name)
					assert.NotRegexp(t, secretVariable, e.Name, p.owner)
				}
			}
			for _, v := range p.spec.Volumes {
				if v.Secret != nil {
					assert.EqualValues(t, 0o440, *v.Secret.DefaultMode, "%s: %s", p.owner, v.Name)
				}
			}
		}
	})
}
