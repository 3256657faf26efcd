package version

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/observe"
	"krt.dev/kn-krt/pkg/render"
)

var update = flag.Bool("update", false, "write the golden files again")

// What objects of a running version were made of, as a release has noted it in the cluster, is what
// this program would note. If it is not, this program believes that their content has changed, and
// an upgrade to it rolls the pods of all versions: keep the digest of what other releases have started
// (a new field of the spec is left out when it is empty; a setting that is new has no effect on it).
func TestUpgradeChangesNothingThatRuns(t *testing.T) {
	v := testVersion()
	v.Spec.Nodes = []v1alpha1.Node{{Name: "only", Image: "example.com/node@sha256:00"}}
	v.Spec.Workflows = []v1alpha1.Workflow{{Name: "one", Entrypoint: "One", Sequential: []string{"only"}}}
	v.Spec.Entrypoint.Proto = "p.proto"
	v.Spec.Entrypoint.Files = []v1alpha1.ProtoFile{{Path: "p.proto", Content: `syntax = "proto3";`}}
	const recorded = "testdata/recorded-settings.json"
	if *update {
		text, err := json.MarshalIndent(render.Record(nil), "", "  ")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(recorded, append(text, '\n'), 0o600))
	}
	text, err := os.ReadFile(recorded)
	require.NoError(t, err)
	with := v1alpha1.StartedWith{EntrypointImage: "example.com/entrypoint@sha256:00", Sequences: "abc", StoreSecret: v.Name + "-store-1"}
	require.NoError(t, json.Unmarshal(text, &with.Settings))
	with.Settings = render.Renew(with.Settings, render.Record(nil))
	d := desired{version: v, live: true, plan: plan{with: with, settings: render.SettingsOf(with.Settings)}}
	items, err := d.items(cluster{serving: true, eventing: true}, observe.Config{Ready: true, Hash: "1"}, "key")
	require.NoError(t, err)
	var lines []string
	for _, one := range items {
		lines = append(lines, fmt.Sprintf("%T %s: %s", one.object, one.object.GetName(), one.object.GetAnnotations()[apply.MadeAnnotation]))
	}
	slices.Sort(lines)
	got := strings.Join(lines, "\n") + "\n"
	const golden = "testdata/made-of.txt"
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(got), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "an upgrade to this would roll the pods of all versions")

	// What channels have become, in a cluster where that is asked for, is known to later ones alone.
	d.channels = map[string]string{"one": "KafkaChannel"}
	again, err := d.items(cluster{serving: true, eventing: true}, observe.Config{Ready: true, Hash: "1"}, "key")
	require.NoError(t, err)
	require.Equal(t, items, again)

	// Entrypoints of an older kn-krt refuse a configuration that they do not know.
	d.addresses = map[string]string{"one": "http://one"}
	items, err = d.items(cluster{serving: true, eventing: true}, observe.Config{Ready: true, Hash: "1"}, "key")
	require.NoError(t, err)
	for _, one := range items {
		if m, isMap := one.object.(*corev1.ConfigMap); isMap {
			for _, field := range []string{"traffic", "channel", "letters", "results", "queue", "pods"} {
				require.NotContains(t, m.Data["entrypoint.json"], `"`+field)
			}
		}
		if d, isDeployment := one.object.(*appsv1.Deployment); isDeployment {
			require.NotContains(t, fmt.Sprint(d.Spec.Template.Spec), "traffic")
		}
	}
}
