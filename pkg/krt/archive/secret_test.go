package archive_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt/archive"
)

// listed returns what is left out of a bundle with files as well, and what of it looks like a secret.
func listed(t *testing.T, files map[string]string) (left []string, found []archive.Finding) {
	t.Helper()
	all := goodBundle()
	for name, text := range files {
		all[name] = text
	}
	root, err := os.OpenRoot(write(t, all))
	require.NoError(t, err)
	defer root.Close()
	c, err := archive.List(t.Context(), root, archive.PackOptions{})
	require.NoError(t, err)
	for _, o := range c.Left {
		require.Equal(t, archive.Secret, o.Reason)
		left = append(left, o.Name)
	}
	found, more := c.Secrets(root)
	require.False(t, more)
	return left, found
}

func TestSecretsAreLeftOutByTheirName(t *testing.T) {
	const key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
	for _, name := range []string{
		".env", ".ENV", ".Env.Local", "ID_RSA", "a/Id_Ed25519", "STORE.P12", "a.KDBX", "a/service.keytab", "krb5cc_1000", ".NETRC", ".my.cnf",
		".s3cfg", ".boto",
		"kubeconfig", "Kubeconfig", "prod.kubeconfig", ".dockercfg", ".dockerconfigjson", "kaggle.json", "a/application_default_credentials.json",
		"a/huggingface/token", ".cache/huggingface/stored_tokens", ".vault-token", ".databrickscfg",
	} {
		left, found := listed(t, map[string]string{name: "x"})
		require.Equal(t, []string{name}, left)
		require.Empty(t, found, name)
	}
	for _, name := range []string{".SSH/", ".Kube/", ".docker/", ".Kaggle/", ".huggingface/", "a/.config/gcloud/", ".OCI/"} {
		left, _ := listed(t, map[string]string{name + "x": "x"})
		require.Equal(t, []string{name}, left)
	}
	for name, text := range map[string]string{"a.PEM": key, "a.Key": key} {
		left, _ := listed(t, map[string]string{name: text})
		require.Equal(t, []string{name}, left)
	}
	for _, name := range []string{".ENV.example", "token", "environment", "kube.md", "docker/Dockerfile", "keytab.md",
		"huggingface/config.json", "ca.PEM"} {
		left, found := listed(t, map[string]string{name: "x"})
		require.Empty(t, left, name)
		require.Empty(t, found, name)
	}
}

func TestSecretsAreFoundByTheirForm(t *testing.T) {
	letters, digits := strings.Repeat("aB3d", 20), strings.Repeat("0a9f", 20)
	for _, text := range []string{
		"AKIA" + strings.Repeat("A1", 8), "ASIA" + strings.Repeat("A1", 8), "ghp_" + letters[:36], "github_pat_" + letters[:60], "glpat-" +
			letters[:20],
		"xoxb-" + letters[:12], "AIza" + letters[:35], "hf_" + letters[:34], "sk-" + letters[:48], "sk-proj-" + letters[:40], "sk-ant-api03-" +
			letters[:40],
		"npm_" + letters[:36], "pypi-AgEI" + letters[:80], "dckr_pat_" + letters[:27], "sk_live_" + letters[:24], "hvs." + letters[:24], "dapi" +
			digits[:32],
	} {
		_, found := listed(t, map[string]string{"src/etl/settings.py": "TOKEN = '" + text + "'\n"})
		require.Equal(t, []archive.Finding{{Name: "src/etl/settings.py", Why: "an access key in it"}}, found, text)
	}
	for name, text := range map[string]string{
		"kubectl": "apiVersion: v1\nkind: Config\nusers:\n- name: me\n  user:\n    client-key-data: LS0t\n",
		"token":   "users:\n- user:\n    token: eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlIn0.AAAA\n",
		"Docker":  `{"auths": {"https://index.docker.io/v1/": {"auth": "bWU6c2VjcmV0"}}}`,
		"gcloud":  `{"client_id": "x", "refresh_token": "1//0` + letters[:20] + `", "type": "authorized_user"}`,
		"Kaggle":  `{"username":"me","key":"` + digits[:32] + `"}`,
	} {
		_, found := listed(t, map[string]string{"config.json": text})
		require.Equal(t, []archive.Finding{{Name: "config.json", Why: "credentials in it"}}, found, name)
	}
	for _, text := range []string{"risk-assessment-of-a-very-long-name-of-something", "sk-learn-compatible-estimators", "hf_home", "task-" +
		letters[:40], `{"auths": {}}`, "AKIA"} {
		_, found := listed(t, map[string]string{"src/etl/settings.py": text})
		require.Empty(t, found, text)
	}
}
