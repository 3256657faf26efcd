package render_test

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/entrypoint/program"
	"krt.dev/kn-krt/pkg/render"
)

// Pods would be called in plain text.
func TestWhatKnativeEncryptsIsNotCalledPastIt(t *testing.T) {
	for _, folder := range []string{"shortcut", "pods"} {
		in := input(t, filepath.Join("testdata", folder))
		before := must(t, in)
		in.Encrypted = true
		after := must(t, in)
		require.Less(t, len(after), len(before))
		for _, o := range after {
			require.NotContains(t, o.GetName(), "--")
			if config, ok := o.(*corev1.ConfigMap); ok {
				require.NotContains(t, config.Data["entrypoint.json"], "--")
			}
		}
	}
}

func TestWhetherKnativeEncrypts(t *testing.T) {
	for name, tt := range map[string]struct {
		network map[string]string
		want    bool
	}{
		"unset":          {nil, false},
		"enabled":        {map[string]string{"system-internal-tls": "Enabled"}, true},
		"disabled":       {map[string]string{"system-internal-tls": "disabled"}, false},
		"former name":    {map[string]string{"internal-encryption": "true"}, true},
		"former, no":     {map[string]string{"internal-encryption": "false"}, false},
		"refused by all": {map[string]string{"system-internal-tls": "maybe"}, false},
		"another":        {map[string]string{"cluster-local-domain-tls": "enabled"}, false},
	} {
		require.Equal(t, tt.want, render.Encrypts(tt.network), name)
	}
}

// Knative ends no call that passes it: where work may take longer than a revision may, so may each attempt.
func TestAttemptsPastKnativeAreNotEndedByItsTime(t *testing.T) {
	in := input(t, filepath.Join("testdata", "shortcut"))
	in.Version.Spec.Entrypoint.Delivery, in.Kept, in.Attempts = v1alpha1.DeliveryDurable, true, true
	var config program.Config
	for _, o := range must(t, in) {
		if c, ok := o.(*corev1.ConfigMap); ok {
			require.NoError(t, json.Unmarshal([]byte(c.Data["entrypoint.json"]), &config))
		}
	}
	got := map[string]int64{}
	for _, s := range config.Workflows[0].Steps {
		got[s.Node] = s.TimeoutSeconds
	}
	require.Equal(t, map[string]int64{"one": 0, "replica": 0, "timed": 0, "two": 600, "zero": 600, "bounded": 600}, got)
}
