package authentication

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

const (
	adasKey = "0123456789abcdef-ada"
	bobsKey = "0123456789abcdef-bob"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// mount writes keys as Kubernetes writes a Secret into a volume: a folder for each state, and
// links that change at once.
func mount(t *testing.T, folder, state string, keys map[string]string) {
	t.Helper()
	data := filepath.Join(folder, ".."+state)
	require.NoError(t, os.Mkdir(data, 0o700))
	for name, key := range keys {
		require.NoError(t, os.WriteFile(filepath.Join(data, name), []byte(key), 0o600))
		link := filepath.Join(folder, name)
		if _, err := os.Lstat(link); err != nil {
			require.NoError(t, os.Symlink(filepath.Join("..data", name), link))
		}
	}
	require.NoError(t, os.Symlink(".."+state, filepath.Join(folder, "..next")))
	require.NoError(t, os.Rename(filepath.Join(folder, "..next"), filepath.Join(folder, "..data")))
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, e := range entries {
		if _, kept := keys[e.Name()]; !kept && !strings.HasPrefix(e.Name(), "..") {
			require.NoError(t, os.Remove(filepath.Join(folder, e.Name())))
		}
	}
}

func key(t *testing.T, a *Authenticator, keys ...string) string {
	client, refusal := a.Identify(t.Context(), Credentials{APIKey: keys})
	if refusal != nil {
		return refusal.Text
	}
	return client.Name
}

func TestAPIKeysOfAVolume(t *testing.T) {
	folder, log := t.TempDir(), &bytes.Buffer{}
	mount(t, folder, "1", map[string]string{"ada": adasKey + "\n", "short": "secret"})
	a, err := New(Config{APIKeys: folder}, slog.New(slog.NewTextHandler(log, nil)))
	require.NoError(t, err)
	const unknown = "the API key is not one that is accepted"
	require.Equal(t, "ada", key(t, a, adasKey))
	for _, wrong := range []string{"", "secret", bobsKey, adasKey + "\n", adasKey[:len(adasKey)-1], strings.Repeat("a", MaxKeyBytes+1)} {
		require.Equal(t, unknown, key(t, a, wrong))
	}
	require.Equal(t, "the request has several credentials of one kind; it must have one", key(t, a, adasKey, adasKey))
	require.Equal(t, "this requires authentication: send an API key in the header x-api-key", key(t, a))

	mount(t, folder, "2", map[string]string{"bob": bobsKey})
	a.keys.look()
	require.Equal(t, "bob", key(t, a, bobsKey))
	require.Equal(t, unknown, key(t, a, adasKey))

	// A folder that cannot be read leaves the last keys in force, and is read when it can be.
	require.NoError(t, os.Remove(filepath.Join(folder, "..data")))
	a.keys.look()
	a.keys.look()
	require.Equal(t, "bob", key(t, a, bobsKey))
	require.Equal(t, 1, strings.Count(log.String(), "the last ones stay in force"))
	mount(t, folder, "3", map[string]string{"ada": adasKey})
	a.keys.look()
	require.Equal(t, "ada", key(t, a, adasKey))
	require.Contains(t, log.String(), "an API key is left out, because of its length")
	require.NotContains(t, log.String(), "secret")
	require.NotContains(t, log.String(), "0123456789")
}

func TestAPIKeysOfAFolder(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "ada"), []byte(adasKey), 0o600))
	a := start(t, Config{APIKeys: folder})
	require.Equal(t, "ada", key(t, a, adasKey))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "ada"), []byte(bobsKey+"-longer"), 0o600))
	require.Eventually(t, func() bool { return key(t, a, bobsKey+"-longer") == "ada" }, 10*lookInterval, lookInterval/10)

	_, err := New(Config{APIKeys: filepath.Join(folder, "none")}, quiet())
	require.ErrorContains(t, err, "authentication: cannot read the API keys: ")
}

func TestEitherCredentialIsEnough(t *testing.T) {
	folder, p := t.TempDir(), newProvider(t)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "robot"), []byte(adasKey), 0o600))
	s := newSigner(t, "one", jose.ES256)
	p.serve(s)
	a := start(t, Config{APIKeys: folder, JWT: []Issuer{p.issuer()}, Workflows: []string{"prices"}})
	for wanted, sent := range map[string]Credentials{
		"ada":   {APIKey: []string{bobsKey}, Authorization: []string{s.token(t, claims(p))}},
		"robot": {APIKey: []string{adasKey}, Authorization: []string{"Bearer x"}},
	} {
		client, refusal := a.Identify(t.Context(), sent)
		require.Nil(t, refusal)
		require.Equal(t, wanted, client.Name)
	}
	_, refusal := a.Identify(t.Context(), Credentials{})
	require.Equal(t, "this requires authentication: send a token in the header authorization (Bearer), or an API key in the header x-api-key",
		refusal.Text)
	require.False(t, refusal.Sent)
	require.True(t, a.Workflow("prices"))
	require.True(t, a.Workflow(""))
	require.False(t, a.Workflow("other"))
	require.False(t, a.All())
}
