package render_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/entrypoint/measure"
	"krt.dev/kn-krt/pkg/render"
)

func minimal(t *testing.T) render.Input { return input(t, filepath.Join("testdata", "minimal")) }

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*render.Input)
		want   string
	}{
		{"no version", func(in *render.Input) { in.Version = nil }, "cannot render: there is no version"},
		{"a timeout too long", func(in *render.Input) {
			in.Version.Spec.Entrypoint.Timeout = &metav1.Duration{Duration: 591 * time.Second}
		}, `cannot render version "greeter-v1": entrypoint: timeout 9m51s is not between 1ms and 9m50s`},
		{"a node's timeout too long", func(in *render.Input) {
			in.Version.Spec.Nodes[0].Timeout = &metav1.Duration{Duration: time.Hour}
		}, `node "greeter": timeout 1h0m0s is not between 1ms and 9m50s`},
		{"a node without an image", func(in *render.Input) { in.Version.Spec.Nodes[0].Image = "" }, `node "greeter": there is no image`},
		{"a step that is not a node", func(in *render.Input) {
			in.Version.Spec.Workflows[0].Sequential = []string{"greter"}
		}, `workflow "greeting": node "greter" is not declared`},
		{"no entrypoint image", func(in *render.Input) { in.EntrypointImage = "" }, "cannot render the entrypoint: it has no image"},
		{"a proto that is not there", func(in *render.Input) { in.Version.Spec.Entrypoint.Proto = "other.proto" },
			`cannot render the entrypoint of version "greeter-v1": entrypoint.proto is not among entrypoint.files`},
		{"a proto in the configuration's place", func(in *render.Input) {
			in.Version.Spec.Entrypoint.Files[0].Path = "entrypoint.json"
		}, `a proto cannot be named "entrypoint.json"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := minimal(t)
			test.change(&in)
			_, err := render.Objects(in)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestMeasurementsNeedAStore(t *testing.T) {
	for name, c := range map[string]struct {
		store string
		mode  measure.Mode
		want  string
	}{
		"no store": {render.NoStore, measure.Each, ""},
		"off":      {"http://store", measure.Off, ""},
		"each":     {"http://store", measure.Each, `"store": "http://store",` + "\n  " + `"measurements": "each"`},
	} {
		t.Run(name, func(t *testing.T) {
			in := minimal(t)
			in.Settings.StoreURL, in.Settings.Measurements = c.store, c.mode
			objects, err := render.Objects(in)
			require.NoError(t, err)
			config := ""
			for _, o := range objects {
				if m, ok := o.(*corev1.ConfigMap); ok {
					config += m.Data["entrypoint.json"]
				}
			}
			require.Contains(t, config, c.want)
			require.Equal(t, c.want != "", strings.Contains(config, "measurements"))
		})
	}
}

// Whether nodes are woken ahead is the version's own setting, or the cluster's; an older entrypoint cannot.
func TestWarmUp(t *testing.T) {
	on, off := true, false
	for name, c := range map[string]struct {
		cluster string
		version *bool
		old     bool
		want    bool
	}{
		"by default":         {want: true},
		"off in the cluster": {cluster: "false"},
		"on in the version":  {cluster: "false", version: &on, want: true},
		"off in the version": {cluster: "true", version: &off},
		"an old entrypoint":  {old: true},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(t, filepath.Join("testdata", "warm"))
			if c.cluster != "" {
				var err error
				in.Settings, err = render.ParseSettings(map[string]string{"warm-up": c.cluster})
				require.NoError(t, err)
			}
			in.Version.Spec.Entrypoint.WarmUp, in.Warm = c.version, !c.old
			objects, err := render.Objects(in)
			require.NoError(t, err)
			i := slices.IndexFunc(objects, func(o render.Object) bool { _, is := o.(*corev1.ConfigMap); return is })
			require.Equal(t, c.want, strings.Contains(objects[i].(*corev1.ConfigMap).Data["entrypoint.json"], `"wake"`))
			require.Equal(t, c.old || c.want, in.Settings.WarmsUp(in.Version))
		})
	}
	_, err := render.ParseSettings(map[string]string{"warm-up": "yes"})
	require.ErrorContains(t, err, `warm-up: "yes" is not one of true, false`)
}

func TestAllRefusalsAtOnce(t *testing.T) {
	in := minimal(t)
	in.Settings.Timeout = 0
	in.Version.Spec.Nodes[0].Image = ""
	_, err := render.Objects(in)
	require.ErrorContains(t, err, "entrypoint: timeout 0s")
	require.ErrorContains(t, err, `node "greeter": there is no image`)
}

// seed is the Service that KRT V1's documents show, without what an apiserver
// fills in.
const seed = `
apiVersion: v1
kind: Service
metadata:
  labels:
    type: entrypoint
    version-name: greeter-v1-entrypoint
  name: NAME
  namespace: dev-render
spec:
  ports:
  - name: grpc
    port: 9000
    protocol: TCP
    targetPort: 9000
  - name: web
    port: 80
    protocol: TCP
    targetPort: 8080
  selector:
    type: entrypoint
    version-name: greeter-v1-entrypoint
  sessionAffinity: None
  type: ClusterIP
status:
  loadBalancer: {}
`

func TestServicesAreTheSeeds(t *testing.T) {
	entrypoint := slices.DeleteFunc(must(t, minimal(t)), func(o render.Object) bool { return o.GetName() != "greeter-v1" })
	active := render.ActiveEntrypoint(&v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{Namespace: "dev-render"}}, "greeter-v1")
	for name, service := range map[string]render.Object{"greeter-v1": entrypoint[0], "active-entrypoint": active} {
		var want corev1.Service
		require.NoError(t, yaml.UnmarshalStrict([]byte(strings.Replace(seed, "NAME", name, 1)), &want))
		require.Equal(t, &want, service)
	}
}

// Who applies objects writes annotations into them, and settings are shared by
// all versions.
func TestObjectsShareNothingWithTheirInput(t *testing.T) {
	in := input(t, filepath.Join("testdata", "gpu"))
	before := yamlOf(t, must(t, in))
	for _, object := range must(t, in) {
		scribble(object.GetLabels())
		scribble(object.GetAnnotations())
	}
	pod := must(t, in)[0].(*servingv1.Service).Spec.Template.Spec
	scribble(pod.NodeSelector)
	pod.Containers[0].Resources.Limits["cpu"] = *pod.Containers[0].Resources.Limits.Memory()
	require.Equal(t, string(before), string(yamlOf(t, must(t, in))))
}

func must(t *testing.T, in render.Input) []render.Object {
	t.Helper()
	objects, err := render.Objects(in)
	require.NoError(t, err)
	return objects
}

func scribble(m map[string]string) {
	if m != nil {
		m["scribbled"] = "yes"
	}
}

// TestTracingChangesTheEntrypointOnly: nodes are not replaced for it.
func TestTracingChangesTheEntrypointOnly(t *testing.T) {
	in := input(t, "testdata/traces")
	with, err := render.Objects(in)
	require.NoError(t, err)
	in.Settings = render.DefaultSettings()
	without, err := render.Objects(in)
	require.NoError(t, err)
	require.Len(t, with, len(without))
	var changed []string
	for i := range with {
		if !equality.Semantic.DeepEqual(with[i], without[i]) {
			changed = append(changed, with[i].GetObjectKind().GroupVersionKind().Kind)
		}
	}
	require.Equal(t, []string{"Deployment"}, changed)
}

func TestDurableDeliveryNeedsTheStore(t *testing.T) {
	in := input(t, "testdata/durable")
	in.Settings.StoreURL = render.NoStore
	_, err := render.Objects(in)
	require.ErrorContains(t, err, "delivery Durable needs the store")
	in = input(t, "testdata/durable")
	in.Kept = false
	_, err = render.Objects(in)
	require.ErrorContains(t, err, "restart the version")
}

// A node's pods are called whatever the delivery, unless a Sequence calls them or an older kn-krt has started
// the version; and those of another template never.
func TestPodsAreCalledPastTheIngress(t *testing.T) {
	services := func(in render.Input) (hashes map[string]string) {
		hashes = map[string]string{}
		for _, o := range must(t, in) {
			if s, is := o.(*corev1.Service); is && s.Spec.ClusterIP == corev1.ClusterIPNone {
				hashes[s.Name] = s.Spec.Selector[render.LabelTemplate]
			}
		}
		return hashes
	}
	in := input(t, "testdata/pods")
	first := services(in)
	require.Len(t, first, 2)
	in.ConfigHash = "fedcba9876543210fedcba9876543210"
	for name, hash := range services(in) {
		require.NotEqual(t, first[name], hash)
	}
	in.Kept = false
	require.Empty(t, services(in))
	in = input(t, "testdata/kept")
	require.True(t, in.Kept)
	require.Empty(t, services(in))
	require.NotEmpty(t, services(input(t, "testdata/durable")))
}
