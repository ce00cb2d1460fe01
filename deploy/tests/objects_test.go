package tests

import (
	"slices"
	"strconv"
	"testing"

	kedav1alpha1 "github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// selected returns the workloads whose pods a selector matches.
func (r *release) selected(t *testing.T, s *metav1.LabelSelector) []pods {
	t.Helper()
	match, err := metav1.LabelSelectorAsSelector(s)
	require.NoError(t, err)
	var out []pods
	for _, p := range r.workloads() {
		if match.Matches(labels.Set(p.labels)) {
			out = append(out, p)
		}
	}
	return out
}

// owners returns whom the workloads belong to, sorted.
func owners(of []pods) []string {
	var out []string
	for _, p := range of {
		out = append(out, p.owner)
	}
	slices.Sort(out)
	return out
}

// A workload's selector matches its own pods and no other's.
func TestSelectorsMatchTheirOwnPods(t *testing.T) {
	t.Parallel()
	eachSet(t, func(t *testing.T, r *release) {
		for _, p := range r.workloads() {
			if p.selector != nil {
				assert.Equal(t, []string{p.owner}, owners(r.selected(t, p.selector)))
			}
		}
	})
}

// Each Service leads to one workload, on ports that its container names.
func TestServicesLeadToPods(t *testing.T) {
	t.Parallel()
	eachSet(t, func(t *testing.T, r *release) {
		services := all[*corev1.Service](r)
		require.GreaterOrEqual(t, len(services), 3)
		for _, s := range services {
			found := r.selected(t, &metav1.LabelSelector{MatchLabels: s.Spec.Selector})
			require.Len(t, found, 1, s.Name)
			for _, port := range s.Spec.Ports {
				assert.True(t, slices.ContainsFunc(found[0].spec.Containers[0].Ports, func(p corev1.ContainerPort) bool {
					return p.Name == port.TargetPort.StrVal
				}), "%s: no container port %s", s.Name, port.TargetPort.StrVal)
			}
			if s.Labels["sluice/port"] == "public" {
				assert.Equal(t, "http", s.Spec.Ports[0].TargetPort.StrVal, "the admin port is never public")
				assert.Len(t, s.Spec.Ports, 1)
			}
		}
		for _, m := range all[*monitoringv1.ServiceMonitor](r) {
			match, err := metav1.LabelSelectorAsSelector(&m.Spec.Selector)
			require.NoError(t, err)
			n := 0
			for _, s := range services {
				if match.Matches(labels.Set(s.Labels)) {
					n++
					assert.Contains(t, []string{"sluice-gateway", "sluice-consumer", "sluice-audit", "sluice-canary"}, s.Labels[m.Spec.JobLabel])
					assert.Equal(t, m.Spec.Endpoints[0].Port, s.Spec.Ports[0].Name)
				}
			}
			assert.Equal(t, 1, n, "%s: each pod is scraped once", m.Name)
		}
	})
}

// Gateways and consumers have one budget each, which lets a node be drained.
func TestDisruptionBudgetsMatch(t *testing.T) {
	t.Parallel()
	eachSet(t, func(t *testing.T, r *release) {
		covered := map[string]int{}
		for _, b := range all[*policyv1.PodDisruptionBudget](r) {
			found := r.selected(t, b.Spec.Selector)
			require.Len(t, found, 1, b.Name)
			covered[found[0].owner]++
			assert.Positive(t, b.Spec.MaxUnavailable.IntValue())
		}
		for _, p := range r.workloads() {
			if p.component() == "gateway" || p.component() == "consumer" {
				assert.Equal(t, 1, covered[p.owner], p.owner)
			}
		}
	})
}

// A StatefulSet's Service exists, its volume is the one that the gateway's spool is on, and nothing removes the volume.
func TestSpoolIsOnAVolumeOfItsOwn(t *testing.T) {
	t.Parallel()
	r := renderSet(t, "spool")
	s := named[*appsv1.StatefulSet](t, r, "gateway")
	named[*corev1.Service](t, r, s.Spec.ServiceName[len("sluice-"):])
	require.Len(t, s.Spec.VolumeClaimTemplates, 1)
	claim := s.Spec.VolumeClaimTemplates[0]
	c := s.Spec.Template.Spec.Containers[0]
	i := slices.IndexFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == claim.Name })
	require.GreaterOrEqual(t, i, 0)
	assert.Equal(t, c.VolumeMounts[i].MountPath+"/spool", variable(c, "SLUICE_SPOOL_DIR"))
	most, err := strconv.ParseInt(variable(c, "SLUICE_SPOOL_MAX_BYTES"), 10, 64)
	require.NoError(t, err)
	size := claim.Spec.Resources.Requests.Storage().Value()
	assert.Equal(t, size*9/10-64<<20, most)
	const retain = appsv1.RetainPersistentVolumeClaimRetentionPolicyType
	assert.Equal(t, retain, s.Spec.PersistentVolumeClaimRetentionPolicy.WhenScaled)
	assert.Equal(t, retain, s.Spec.PersistentVolumeClaimRetentionPolicy.WhenDeleted)

	hpa := named[*autoscalingv2.HorizontalPodAutoscaler](t, r, "gateway")
	assert.Equal(t, "StatefulSet", hpa.Spec.ScaleTargetRef.Kind)
	assert.Equal(t, autoscalingv2.DisabledPolicySelect, *hpa.Spec.Behavior.ScaleDown.SelectPolicy,
		"a gateway whose volume may hold events is never removed by itself")
	assert.Empty(t, all[*appsv1.StatefulSet](renderSet(t, "minimal")))
}

// Scalers name workloads that leave the number of replicas to them, and metrics that the programs have.
func TestScalersHaveTargets(t *testing.T) {
	t.Parallel()
	metrics := read(t, root, "docs", "metrics.md")
	eachSet(t, func(t *testing.T, r *release) {
		replicas := map[string]*int32{}
		for _, d := range all[*appsv1.Deployment](r) {
			replicas["Deployment/"+d.Name] = d.Spec.Replicas
		}
		for _, s := range all[*appsv1.StatefulSet](r) {
			replicas["StatefulSet/"+s.Name] = s.Spec.Replicas
		}
		scaled := func(kind, name string, low, high int32) {
			n, known := replicas[kind+"/"+name]
			assert.True(t, known, "%s/%s", kind, name)
			assert.Nil(t, n, "%s/%s: each upgrade would set the number back", kind, name)
			assert.Positive(t, low)
			assert.GreaterOrEqual(t, high, low)
		}
		for _, h := range all[*autoscalingv2.HorizontalPodAutoscaler](r) {
			target := h.Spec.ScaleTargetRef
			scaled(target.Kind, target.Name, *h.Spec.MinReplicas, h.Spec.MaxReplicas)
			for _, m := range h.Spec.Metrics {
				if m.Pods != nil {
					assert.Contains(t, metrics, "`"+m.Pods.Metric.Name+"`")
				}
			}
		}
		for _, s := range all[*kedav1alpha1.ScaledObject](r) {
			target := s.Spec.ScaleTargetRef
			scaled(target.Kind, target.Name, *s.Spec.MinReplicaCount, *s.Spec.MaxReplicaCount)
			assert.NoError(t, kedav1alpha1.CheckFallbackValid(s))
			down := s.Spec.Advanced.HorizontalPodAutoscalerConfig.Behavior.ScaleDown
			assert.GreaterOrEqual(t, *down.StabilizationWindowSeconds, int32(600))
		}
	})
	assert.Len(t, all[*kedav1alpha1.ScaledObject](renderSet(t, "production")), 1)
	assert.Len(t, all[*kedav1alpha1.ScaledObject](renderSet(t, "spool")), 1)
}

// KEDA's scaler reads the same group of the same topic as the consumers, with their login.
func TestLagIsThatOfTheConsumers(t *testing.T) {
	t.Parallel()
	r := renderSet(t, "production")
	c := named[*appsv1.Deployment](t, r, "consumer").Spec.Template.Spec.Containers[0]
	s := named[*kedav1alpha1.ScaledObject](t, r, "consumer")
	kafka := s.Spec.Triggers[0]
	assert.Equal(t, "kafka", kafka.Type)
	assert.Equal(t, variable(c, "SLUICE_KAFKA_BROKERS"), kafka.Metadata["bootstrapServers"])
	assert.Equal(t, variable(c, "SLUICE_KAFKA_GROUP"), kafka.Metadata["consumerGroup"])
	assert.Equal(t, variable(c, "SLUICE_KAFKA_TOPIC"), kafka.Metadata["topic"])
	assert.Equal(t, "scram_sha512", kafka.Metadata["sasl"])
	assert.Equal(t, "enable", kafka.Metadata["tls"])
	auth := named[*kedav1alpha1.TriggerAuthentication](t, r, kafka.AuthenticationRef.Name[len("sluice-"):])
	var parameters []string
	for _, p := range auth.Spec.SecretTargetRef {
		parameters = append(parameters, p.Parameter)
	}
	assert.ElementsMatch(t, []string{"ca", "cert", "key", "password"}, parameters)
	assert.Equal(t, c.Name, auth.Spec.Env[0].ContainerName)
	assert.NotEmpty(t, variable(c, auth.Spec.Env[0].Name))

	s = named[*kedav1alpha1.ScaledObject](t, renderSet(t, "spool"), "consumer")
	assert.Equal(t, "prometheus", s.Spec.Triggers[0].Type)
	assert.Contains(t, s.Spec.Triggers[0].Metadata["query"],
		`sluice_consumer_lag_records{namespace="events",topic="events"}`)
	assert.Contains(t, read(t, root, "docs", "metrics.md"), "`sluice_consumer_lag_records`")
}
