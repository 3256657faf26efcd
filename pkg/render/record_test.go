package render_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/render"
)

func TestRecordHoldsWhatVersionsAreMadeOf(t *testing.T) {
	record := render.Record(nil)
	require.Equal(t, "30s", record["timeout"])
	require.Contains(t, record["channel-template"], "InMemoryChannel")
	for _, key := range []string{"base-images", "start-timeout", "ingress-annotations", "store-url", "image-pull-secrets", "_example"} {
		require.NotContains(t, record, key)
	}
	require.Equal(t, render.DefaultSettings(), render.SettingsOf(record))
	require.Equal(t, render.DefaultSettings(), render.SettingsOf(nil))

	data := example(t)
	data["timeout"], data["gpu-tolerations"] = " 45s\n", "[]"
	record = render.Record(data)
	require.Equal(t, "45s", record["timeout"])
	require.NotContains(t, record, "base-images")
	s := render.SettingsOf(record)
	require.Equal(t, 45*time.Second, s.Timeout)
	require.Empty(t, s.GPUTolerations)
	require.Equal(t, "http://krt-store.krt-system.svc.cluster.local", s.StoreURL)
}

// Another program has other settings, and takes other values.
func TestRecordOfAnotherProgram(t *testing.T) {
	s := render.SettingsOf(map[string]string{"timeout": "45s", "connection-age": "forever", "colour": "red", "start-timeout": "1s"})
	want := render.DefaultSettings()
	want.Timeout = 45 * time.Second
	require.Equal(t, want, s)
}

func TestWhatHoldsAtOnce(t *testing.T) {
	record := map[string]string{"timeout": "45s", "store-url": "http://old"}
	now := map[string]string{"timeout": "50s", "image-pull-secrets": "login"}
	require.Equal(t, map[string]string{"timeout": "45s", "image-pull-secrets": "login"}, render.Renew(record, now))
	require.Equal(t, map[string]string{"timeout": "45s"}, render.Lasting(record))
}

func TestBehindNamesWhatChangesTheVersion(t *testing.T) {
	in := render.Input{EntrypointImage: "example.com/entrypoint", Addresses: map[string]string{"one": "http://one"}}
	in.Version = &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "v", Namespace: "kre"}}
	in.Version.Spec.Entrypoint = v1alpha1.Entrypoint{Proto: "p.proto",
		Files: []v1alpha1.ProtoFile{{Path: "p.proto", Content: "syntax = \"proto3\";"}}}
	in.Version.Spec.Nodes = []v1alpha1.Node{{Name: "a", Image: "example.com/a"}}
	in.Version.Spec.Workflows = []v1alpha1.Workflow{{Name: "one", Entrypoint: "One", Sequential: []string{"a"}}}
	record := render.Record(nil)
	require.Empty(t, render.Behind(in, record, record))

	const kafka = "apiVersion: messaging.knative.dev/v1beta1\nkind: KafkaChannel"
	now := maps.Clone(record)
	now["channel-template"], now["timeout"], now["scale-max"] = kafka, "45s", "3"
	// The version does not use these, or they apply at once.
	now["gpu-tolerations"], now["python-workers"], now["store-url"] = "[]", "9", "http://store"
	require.Equal(t, []string{"channel-template", "scale-max", "timeout"}, render.Behind(in, record, now))
	require.Equal(t, []string{"channel-template", "scale-max", "timeout"}, render.Behind(in, now, record))
	in.Version.Spec.Entrypoint.Delivery = v1alpha1.DeliveryDirect
	in.Version.Spec.Nodes[0].GPU = true
	require.Equal(t, []string{"gpu-tolerations", "scale-max", "timeout"}, render.Behind(in, record, now))
	require.Equal(t, record, render.Record(nil), "it is left as it is")
	now = maps.Clone(record)
	now["trace-sampling"], now["otlp-protocol"] = "1", "grpc"
	require.Empty(t, render.Behind(in, record, now), "without a collector they change nothing")
	now["otlp-endpoint"] = "http://collector:4317"
	require.Equal(t, []string{"otlp-endpoint"}, render.Behind(in, record, now))
	delete(record, "timeout") // by a program that did not have it, or of a former default
	require.Empty(t, render.Behind(in, record, render.Record(nil)))
}

func TestSettingsOfVersionsAreShort(t *testing.T) {
	long := strings.Repeat(" ", 5000)
	_, err := render.ParseSettings(map[string]string{"channel-template": long, "base-images": "go: example.com/static" + long})
	require.EqualError(t, err, "cannot use the settings: channel-template: the value has 5000 bytes, at most 4096 are allowed")
	_, err = render.ParseSettings(map[string]string{"store-url": "http://user:secret@store"})
	require.ErrorContains(t, err, "without a user")
}

func TestSequencesNextToOthers(t *testing.T) {
	in := render.Input{Settings: render.DefaultSettings(),
		Version: &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "v", Namespace: "kre"}}}
	in.Version.Spec.Nodes = []v1alpha1.Node{{Name: "a", Image: "example.com/a"}}
	in.Version.Spec.Workflows = []v1alpha1.Workflow{{Name: "one", Entrypoint: "One", Sequential: []string{"a"}}}
	before, err := render.Sequences(in)
	require.NoError(t, err)
	require.Equal(t, "v-one", before[0].Name)
	in.SequenceSuffix = "1a2b3c"
	same, err := render.Sequences(in)
	require.NoError(t, err)
	require.Equal(t, "v-one-1a2b3c", same[0].Name)
	require.Equal(t, render.SequenceSuffix(before), render.SequenceSuffix(same))
	in.Settings.ChannelTemplate.Kind = "KafkaChannel"
	other, err := render.Sequences(in)
	require.NoError(t, err)
	require.NotEqual(t, render.SequenceSuffix(before), render.SequenceSuffix(other))
	require.Len(t, render.SequenceSuffix(other), 6)
	require.NotEqual(t, before[0].Annotations[render.AnnotationSpecHash], other[0].Annotations[render.AnnotationSpecHash])
}
