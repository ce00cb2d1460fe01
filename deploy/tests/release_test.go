package tests

import (
	"fmt"
	"strings"
	"testing"

	kedav1alpha1 "github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"
	helmrelease "helm.sh/helm/v3/pkg/release"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// release is what the chart renders to, decoded.
type release struct {
	objects []object
	hooks   []*helmrelease.Hook
	notes   string
}

// object is one manifest: its template, its text, and its typed value.
type object struct {
	path, text string
	value      runtime.Object
}

// strict decodes the kinds that the chart may render. Unknown, repeated and misplaced fields are errors.
var strict = func() runtime.Decoder {
	known := runtime.NewScheme()
	utilruntime.Must(scheme.AddToScheme(known))
	utilruntime.Must(kedav1alpha1.AddToScheme(known))
	utilruntime.Must(monitoringv1.AddToScheme(known))
	utilruntime.Must(gatewayv1.Install(known))
	return serializer.NewCodecFactory(known, serializer.EnableStrict).UniversalDeserializer()
}()

func (r *release) add(path, text string) error {
	value, _, err := strict.Decode([]byte(text), nil, nil)
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", path, err, text)
	}
	r.objects = append(r.objects, object{path, text, value})
	return nil
}

// meta returns an object's metadata.
func (o object) meta() metav1.Object {
	m, ok := o.value.(metav1.Object)
	if !ok {
		panic(fmt.Sprintf("%s: %T has no metadata", o.path, o.value))
	}
	return m
}

func (o object) String() string {
	return o.value.GetObjectKind().GroupVersionKind().Kind + "/" + o.meta().GetName()
}

// all returns the release's objects of one type.
func all[T runtime.Object](r *release) []T {
	var out []T
	for _, o := range r.objects {
		if v, ok := o.value.(T); ok {
			out = append(out, v)
		}
	}
	return out
}

// named returns the object of a type whose name is sluice-… with this ending.
func named[T runtime.Object](t *testing.T, r *release, ending string) T {
	t.Helper()
	for _, o := range r.objects {
		if v, ok := o.value.(T); ok && o.meta().GetName() == "sluice-"+ending {
			return v
		}
	}
	var none T
	require.Failf(t, "not rendered", "%T sluice-%s", none, ending)
	return none
}

// pods is a workload's pod template, with what owns it.
type pods struct {
	owner    string // Kind/name
	labels   map[string]string
	selector *metav1.LabelSelector // nil for jobs and pods
	spec     corev1.PodSpec
	long     bool // runs until it is stopped
}

// component is the value of the component's label.
func (p pods) component() string { return p.labels["app.kubernetes.io/component"] }

// workloads returns every pod that the release can start.
func (r *release) workloads() []pods {
	var out []pods
	template := func(o object, selector *metav1.LabelSelector, p corev1.PodTemplateSpec, long bool) {
		out = append(out, pods{o.String(), p.Labels, selector, p.Spec, long})
	}
	for _, o := range r.objects {
		switch v := o.value.(type) {
		case *appsv1.Deployment:
			template(o, v.Spec.Selector, v.Spec.Template, true)
		case *appsv1.StatefulSet:
			template(o, v.Spec.Selector, v.Spec.Template, true)
		case *batchv1.Job:
			template(o, nil, v.Spec.Template, false)
		case *batchv1.CronJob:
			template(o, nil, v.Spec.JobTemplate.Spec.Template, false)
		case *corev1.Pod:
			template(o, nil, corev1.PodTemplateSpec{ObjectMeta: v.ObjectMeta, Spec: v.Spec}, false)
		}
	}
	return out
}

// kinds returns how many objects of each kind there are.
func (r *release) kinds() map[string]int {
	out := map[string]int{}
	for _, o := range r.objects {
		kind, _, _ := strings.Cut(o.String(), "/")
		out[kind]++
	}
	return out
}
