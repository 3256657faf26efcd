package observe

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// runtime is one that should publish version v, and has published another.
func runtime(published string) *v1alpha1.Runtime {
	rt := &v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: "ns"}}
	rt.Spec.PublishedVersion, rt.Status.PublishedVersion = "v", published
	return rt
}

func TestVersionNotFound(t *testing.T) {
	requireCause(t, v1alpha1.ReasonVersionNotFound, `there is no version "v"; list the versions: kn krt list -n ns`,
		VersionNotFound(runtime(""), nil))
	requireCause(t, v1alpha1.ReasonVersionNotFound,
		`there is no version "v" ("old" stays published); did you mean "v1"? List the versions: kn krt list -n ns`,
		VersionNotFound(runtime("old"), []string{"old", "v1"}))
}

func TestUnpublishable(t *testing.T) {
	const notReady = v1alpha1.ReasonVersionNotReady
	crashed := func(v *v1alpha1.Version) {
		v.MarkNodeNotReady("etl", v1alpha1.ReasonCrashed, "it ended")
		v.FinishStatus()
	}
	for _, tt := range []struct {
		name            string
		published       string
		change          func(*v1alpha1.Version)
		reason, message string
	}{
		{"it starts", "old", func(*v1alpha1.Version) {}, v1alpha1.ReasonPublishing, `version "v" is starting`},
		{"it is published and rolls", "v", func(*v1alpha1.Version) {}, "", ""},
		{"it is stopped", "old", func(v *v1alpha1.Version) { v.Spec.State = v1alpha1.StateStopped }, notReady,
			`version "v" is not ready ("old" stays published): it is stopped; start it: kn krt start v -n ns`},
		{"it is published and asked to stop", "v", func(v *v1alpha1.Version) { v.Spec.State = v1alpha1.StateStopped }, "", ""},
		{"it is deleted", "", func(v *v1alpha1.Version) { v.DeletionTimestamp = new(ago(0)) }, notReady,
			`version "v" is not ready: it is being deleted`},
		{"it fails", "", crashed, notReady, `version "v" is not ready: node "etl": it ended`},
		{"it is published and fails", "v", crashed, notReady, `version "v" is not ready: node "etl": it ended`},
		{"an older generation of it failed", "", func(v *v1alpha1.Version) {
			crashed(v)
			v.Generation++
		}, v1alpha1.ReasonPublishing, `version "v" is starting`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := testVersion()
			tt.change(v)
			requireCause(t, tt.reason, tt.message, Unpublishable(runtime(tt.published), v))
		})
	}
	v := testVersion()
	v.Status.Condition(v1alpha1.ConditionReady).Status = metav1.ConditionTrue
	require.Nil(t, Unpublishable(runtime(""), v))
}
