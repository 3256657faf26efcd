// Package config_test holds config/ to its rules, as far as files tell without
// an apiserver (test/apiserver/crd has the rest).
package config_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/render"
)

var update = flag.Bool("update", false, "write config/400-config-krt.yaml anew")

const (
	folder   = "../../config"
	settings = folder + "/400-config-krt.yaml"
)

// header is the ConfigMap without its text.
const header = `# The settings of kn-krt. Made of what pkg/render reads: go test ./test/config -update
apiVersion: v1
kind: ConfigMap
metadata:
  name: config-krt
  namespace: krt-system
  labels:
    app.kubernetes.io/part-of: kn-krt
data:
  _example: |
`

func TestExampleIsWhatIsRead(t *testing.T) {
	var text strings.Builder
	text.WriteString(header)
	for line := range strings.Lines(render.SettingsExample()) {
		if line != "\n" {
			text.WriteString("    ")
		}
		text.WriteString(line)
	}
	if *update {
		require.NoError(t, os.WriteFile(settings, []byte(text.String()), 0o644))
	}
	file, err := os.ReadFile(settings)
	require.NoError(t, err)
	require.Equal(t, text.String(), string(file), "stale: go test ./test/config -update")
}

func TestExampleSetsNothing(t *testing.T) {
	file, err := os.ReadFile(settings)
	require.NoError(t, err)
	var m corev1.ConfigMap
	require.NoError(t, yaml.UnmarshalStrict(file, &m))
	require.Equal(t, render.SettingsExample(), m.Data["_example"])
	got, err := render.ParseSettings(m.Data)
	require.NoError(t, err)
	require.Equal(t, render.DefaultSettings(), got)
}

// What the example shows, taken out of it, must be settings.
func TestExampleHoldsWhenItIsSet(t *testing.T) {
	data := map[string]string{}
	require.NoError(t, yaml.UnmarshalStrict([]byte(render.SettingsExample()), &data))
	require.NotEmpty(t, data)
	_, err := render.ParseSettings(data)
	require.NoError(t, err)
}

// kubectl applies the files of a folder by name: what others need comes first.
func TestFilesAreNumbered(t *testing.T) {
	files, err := filepath.Glob(folder + "/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		require.Regexp(t, `^[1-6]00-[a-z-]+\.yaml$`, filepath.Base(file))
	}
}

// The controller gets what it uses, by name: no wildcard, no logs, no Secrets
// but by the role that can be bound in chosen namespaces.
func TestControllerRights(t *testing.T) {
	file, err := os.ReadFile(folder + "/200-controller-role.yaml")
	require.NoError(t, err)
	seen := 0
	for _, document := range regexp.MustCompile(`(?m)^---$`).Split(string(file), -1) {
		var role rbacv1.ClusterRole
		require.NoError(t, yaml.Unmarshal([]byte(document), &role))
		if role.Kind != "ClusterRole" && role.Kind != "Role" {
			continue
		}
		for _, rule := range role.Rules {
			seen++
			require.NotContains(t, slices.Concat(rule.Verbs, rule.Resources, rule.APIGroups), "*", role.Name)
			require.NotContains(t, rule.Resources, "pods/log", role.Name)
			secrets := slices.Contains(rule.Resources, "secrets")
			require.Equal(t, role.Name == "krt-controller-secrets" || role.Name == "krt-store-key", secrets, role.Name)
			require.False(t, role.Name == "krt-store-key" && slices.Contains(rule.Verbs, "get") && len(rule.ResourceNames) == 0)
		}
	}
	require.Greater(t, seen, 5)
}

func TestProgramsAreBuilt(t *testing.T) {
	for image, name := range map[string]string{
		"controller": "500-controller.yaml", "entrypoint": "500-controller.yaml", "store": "600-store.yaml",
		"dashboard": "dashboard/dashboard.yaml", "queue": "queue/queue.yaml",
	} {
		file, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err)
		require.Contains(t, string(file), "ko://krt.dev/kn-krt/cmd/"+image+"\n")
		ko, err := os.ReadFile("../../ko.yaml")
		require.NoError(t, err)
		require.Contains(t, string(ko), "main: ./cmd/"+image+"\n")
	}
}
