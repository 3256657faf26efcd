package dashboard_test

import (
	"encoding/json"
	"html"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/dashboard/service"
	"krt.dev/kn-krt/test/apiserver"
)

// mountedSecret returns the Secret with the credentials for registries that config/dashboard mounts, and
// the file that its content has in the folder DOCKER_CONFIG.
func mountedSecret(t *testing.T) (name, file string) {
	t.Helper()
	text, err := os.ReadFile("../../../config/dashboard/dashboard.yaml")
	require.NoError(t, err)
	deployment := &appsv1.Deployment{}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		if strings.Contains(document, "kind: Deployment") {
			require.NoError(t, yaml.UnmarshalStrict([]byte(document), deployment))
		}
	}
	pod := deployment.Spec.Template.Spec
	require.Contains(t, pod.Containers[0].Env, corev1.EnvVar{Name: "DOCKER_CONFIG", Value: "/etc/krt-dashboard-registry"})
	for _, mount := range pod.Containers[0].VolumeMounts {
		for _, volume := range pod.Volumes {
			if mount.MountPath == "/etc/krt-dashboard-registry" && mount.Name == volume.Name {
				require.Equal(t, corev1.DockerConfigJsonKey, volume.Secret.Items[0].Key)
				require.True(t, *volume.Secret.Optional)
				return volume.Secret.SecretName, volume.Secret.Items[0].Path
			}
		}
	}
	require.Fail(t, "it mounts no Secret")
	return "", ""
}

// Documentation is read from a registry with the credentials of a Secret, as kubectl makes it. Without
// them, or with wrong ones, the page says what is missing.
func TestServiceReadsFromARegistryThatWantsAPassword(t *testing.T) {
	namespace := newNamespace(t)
	secret, file := mountedSecret(t)
	ref := create(t, namespace, "mine")
	hub := newHub(t, "right")
	refer(t, ref, pushFiles(t, hub, "docs/README.md", "# A house", remote.WithAuth(&authn.Basic{Username: "reader", Password: "right"})))
	token, _ := newToken(t, namespace, all("get", "list", "watch")...)
	next := "kubectl -n krt-system create secret docker-registry " + secret + " --docker-server=" + hub
	for name, test := range map[string]struct {
		password string
		want     []string
	}{
		"no credentials":     {"", []string{"registry " + hub + " wants credentials, and there are none for it", next}},
		"the wrong password": {"wrong", []string{"registry " + hub + " does not accept the credentials that there are for it", next}},
		"the right password": {"right", []string{"A house"}},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			t.Setenv("DOCKER_CONFIG", folder)
			if test.password != "" {
				config, err := json.Marshal(map[string]any{"auths": map[string]any{
					hub: map[string]string{"username": "reader", "password": test.password},
				}})
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(filepath.Join(folder, file), config, 0o600))
			}
			s := newSite(t, service.Config{Namespaces: []string{namespace}, Registries: []string{hub}})
			_, _ = s.signIn(token)
			var page string
			require.True(t, apiserver.Soon(bounded(t), func() bool { // it is known that the version refers to it
				status, text := s.do(http.MethodGet, "/ns/"+namespace+"/versions/mine/docs", nil)
				page = html.UnescapeString(text)
				return status == http.StatusOK && strings.Contains(page, test.want[0])
			}), "last: %s", page)
			for _, want := range test.want {
				require.Contains(t, page, want)
			}
		})
	}
}
