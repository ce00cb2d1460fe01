package tests

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ports lists the ports of a policy's rules that lead to peers, as text.
func egressPorts(p *networkingv1.NetworkPolicy) []string {
	var out []string
	for _, rule := range p.Spec.Egress {
		for _, port := range rule.Ports {
			out = append(out, port.Port.String())
		}
	}
	return out
}

// Each pod is under exactly one policy, for both directions.
func TestEveryPodIsUnderOnePolicy(t *testing.T) {
	t.Parallel()
	eachSet(t, func(t *testing.T, r *release) {
		policies := all[*networkingv1.NetworkPolicy](r)
		if len(policies) == 0 {
			require.Contains(t, t.Name(), "bare")
			return
		}
		covered := map[string]int{}
		for _, p := range policies {
			assert.ElementsMatch(t, []networkingv1.PolicyType{"Ingress", "Egress"}, p.Spec.PolicyTypes, p.Name)
			for _, w := range r.selected(t, &p.Spec.PodSelector) {
				covered[w.owner]++
			}
		}
		for _, w := range r.workloads() {
			assert.Equal(t, 1, covered[w.owner], w.owner)
		}
	})
}

// The admin port is open to the monitoring namespace and to pods that are named, never to everybody.
func TestAdminPortIsNotPublic(t *testing.T) {
	t.Parallel()
	monitoring := networkingv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{
		MatchLabels: map[string]string{"kubernetes.io/metadata.name": "monitoring"},
	}}
	eachSet(t, func(t *testing.T, r *release) {
		for _, p := range all[*networkingv1.NetworkPolicy](r) {
			for _, rule := range p.Spec.Ingress {
				require.Len(t, rule.Ports, 1, "%s: a rule without ports opens all", p.Name)
				if rule.Ports[0].Port.String() == "http" {
					assert.Equal(t, "sluice-gateway", p.Name)
					continue
				}
				assert.Equal(t, "admin", rule.Ports[0].Port.String(), p.Name)
				assert.Contains(t, rule.From, monitoring, p.Name)
				for _, from := range rule.From {
					if from.NamespaceSelector != nil {
						assert.NotEmpty(t, from.NamespaceSelector.MatchLabels, "%s: every namespace", p.Name)
					} else {
						assert.NotEmpty(t, from.PodSelector.MatchLabels, "%s: every pod", p.Name)
					}
				}
			}
		}
	})
	for _, p := range all[*networkingv1.NetworkPolicy](renderSet(t, "minimal")) {
		for _, rule := range p.Spec.Ingress {
			if rule.Ports[0].Port.String() == "http" {
				assert.Empty(t, rule.From, "the public port is open to everybody unless the values say otherwise")
			}
		}
	}
}

// Where the public port is restricted, the chart's own senders still reach it.
func TestOwnSendersReachThePublicPort(t *testing.T) {
	t.Parallel()
	r := renderSet(t, "production")
	p := named[*networkingv1.NetworkPolicy](t, r, "gateway")
	var senders []string
	for _, from := range p.Spec.Ingress[0].From {
		if from.PodSelector != nil {
			senders = append(senders, owners(r.selected(t, from.PodSelector))...)
		}
	}
	assert.Subset(t, senders, []string{"Deployment/sluice-canary", "Pod/sluice-test-load"})
}

// Pods reach what they need and nothing else: each rule of the egress names its ports.
func TestEgress(t *testing.T) {
	t.Parallel()
	want := map[string]map[string][]string{
		"minimal": {
			"gateway":  {"53", "53", "9092", "8082"},
			"consumer": {"53", "53", "9092", "9000", "9440"},
			"jobs":     {"53", "53", "9092", "9000", "9440", "8080", "8081", "8082"},
		},
		"production": {
			"gateway":  {"53", "53", "9093", "9094", "6379", "8082", "4318"},
			"consumer": {"53", "53", "9093", "9094", "9440", "4318"},
			"jobs":     {"53", "53", "9093", "9094", "9440", "8080", "8081", "8082"},
		},
		"spool": {
			"gateway": {"53", "53", "9092", "6379", "8082"},
		},
	}
	for set, policies := range want {
		r := renderSet(t, set)
		for name, ports := range policies {
			p := named[*networkingv1.NetworkPolicy](t, r, name)
			assert.Equal(t, ports, egressPorts(p), "%s: %s", set, name)
			assert.False(t, slices.ContainsFunc(p.Spec.Egress, func(rule networkingv1.NetworkPolicyEgressRule) bool {
				return len(rule.Ports) == 0
			}), "%s: %s", set, name)
		}
	}
}
