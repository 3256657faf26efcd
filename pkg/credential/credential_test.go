package credential_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/credential"
)

func holder() credential.Holder {
	return credential.Holder{Role: credential.Node, Namespace: "kre", Version: "greeter-v1"}
}

func TestCredentialNamesItsHolder(t *testing.T) {
	former, key := credential.NewKey(), credential.NewKey()
	keys := credential.NewKeys(former, key)
	for _, made := range []string{credential.New(key, holder()), credential.New(former, holder())} {
		got, err := keys.Check(made)
		require.NoError(t, err)
		require.Equal(t, holder(), got)
	}
	require.NotEqual(t, credential.KeyID(key), credential.KeyID(former))
}

func TestForgedCredentialsAreInvalid(t *testing.T) {
	key := credential.NewKey()
	good := credential.New(key, holder())
	seal := good[strings.LastIndex(good, ".")+1:]
	for name, text := range map[string]string{
		"empty":             "",
		"another version":   strings.Replace(good, "greeter-v1", "greeter-v2", 1),
		"another namespace": strings.Replace(good, ".kre.", ".other.", 1),
		"another role":      strings.Replace(good, ".handler.", ".owner.", 1),
		"unknown role":      credential.New(key, credential.Holder{Role: "admin", Namespace: "kre", Version: "v"}),
		"another key":       credential.New(credential.NewKey(), holder()),
		"key that is not":   "krt1.handler.kre.greeter-v1.0000000000000000." + seal,
		"sealed with none":  strings.Replace(credential.New(nil, holder()), credential.KeyID(nil), "0000000000000000", 1),
		"no seal":           strings.TrimSuffix(good, seal),
		"a part more":       strings.Replace(good, "krt1.", "krt1.krt1.", 1),
		"a name with a dot": credential.New(key, credential.Holder{Role: credential.Node, Namespace: "a.b", Version: "v"}),
		"no name":           credential.New(key, credential.Holder{Role: credential.Node, Namespace: "", Version: "v"}),
		"long":              credential.New(key, credential.Holder{Role: credential.Node, Namespace: strings.Repeat("a", 600), Version: "v"}),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := credential.NewKeys(key).Check(text)
			require.ErrorIs(t, err, credential.ErrInvalid)
		})
	}
}

func TestKeysOfAFolder(t *testing.T) {
	folder := t.TempDir()
	_, err := credential.ReadKeys(folder)
	require.ErrorContains(t, err, "there is no key")

	current, next := credential.NewKey(), credential.NewKey()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "current"), current, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "next"), next, 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(folder, "..data"), 0o700)) // as Kubernetes mounts a Secret
	keys, err := credential.ReadKeys(folder)
	require.NoError(t, err)
	require.Equal(t, credential.NewKeys(current, next), keys)

	require.NoError(t, os.WriteFile(filepath.Join(folder, "short"), []byte("secret"), 0o600))
	_, err = credential.ReadKeys(folder)
	require.ErrorContains(t, err, `the key "short" has 6 bytes: it must have 32 to 4096`)
}

// Whatever is accepted is what has been made.
func FuzzCheck(f *testing.F) {
	key := []byte(strings.Repeat("k", credential.KeySize))
	f.Add(credential.New(key, holder()))
	f.Add("krt1.owner.kre.v.0123456789abcdef.AAAA")
	f.Add("....." + strings.Repeat(".", 600))
	f.Fuzz(func(t *testing.T, text string) {
		got, err := credential.NewKeys(key).Check(text)
		if err != nil {
			require.ErrorIs(t, err, credential.ErrInvalid)
			return
		}
		require.Equal(t, text, credential.New(key, got))
	})
}
