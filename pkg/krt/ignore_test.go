package krt_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/krt/archive"
)

// allowed is a list of what is wanted, as many write theirs. It means no secrets.
const allowed = "*\n!*/\n!src/**\n!bin/**\n!*.proto\n"

func TestBroadPatternsTakeNoSecretsBack(t *testing.T) {
	for _, list := range []string{".krtignore", ".gitignore"} {
		files := goodBundle()
		files[list] = allowed
		for _, name := range []string{"src/n/.env", "src/n/.ssh/id_rsa", "src/n/__pycache__/x.pyc", "src/n/env/pyvenv.cfg", "src/n/id_ed25519",
			"src/n/kept.txt"} {
			files[name] = ""
		}
		files["src/n/tls.key"] = privateKey
		_, problems, left := shipped(t, write(t, files))
		require.Empty(t, problems)
		const why = " a built-in rule"
		for _, name := range []string{"src/n/.env", "src/n/.ssh/", "src/n/__pycache__/", "src/n/env/", "src/n/id_ed25519", "src/n/tls.key"} {
			require.Contains(t, left, name+why, list)
		}
		require.NotContains(t, strings.Join(left, " "), "kept.txt")
	}
}

func TestSecretsAreTakenBackByTheirNamesInKrtignore(t *testing.T) {
	files := goodBundle()
	files["src/n/.env"], files["src/n/token.key"], files["src/n/credentials.json"] = "A=1", privateKey, "{}"
	files[".krtignore"] = "!.env\n!src/n/token.key\n!credentials.json\n" + allowed +
		"!src/n/.env\n!src/n/token.key\n!credentials.json\n!src/**\n"
	b, problems, left := shipped(t, write(t, files))
	require.Empty(t, problems)
	require.Empty(t, left)
	require.Len(t, b.Listed.Files, len(files))

	// A later line that leaves it out, a wildcard, and what was written for git do not take it back.
	for name, text := range map[string]string{".krtignore": "!.env\n.env\n!src/**\n!*.key\n!*.json\n",
		".gitignore": "!.env\n!token.key\n!credentials.json\n"} {
		delete(files, ".krtignore")
		files[name] = text
		_, problems, left = shipped(t, write(t, files))
		require.Len(t, left, 2, "%s: %s", name, left)
		require.Equal(t, []string{"src/n/credentials.json: warning: looks like a secret (its name) and is part of the bundle and its images; " +
			"list it in .krtignore, or remove the secret from it"}, problems, name)
		delete(files, name)
	}
}

// A packed bundle holds its rules, even where they leave all out, so that its images are the folder's.
func TestPackedBundlesHoldTheirRules(t *testing.T) {
	files := goodBundle()
	files[".krtignore"], files["src/n/venv/x"], files["src/n/.env"] = allowed+"!venv\n!.env\n", "", ""
	dir := write(t, files)
	file := filepath.Join(t.TempDir(), "x.krt")
	require.NoError(t, os.WriteFile(file, pack(t, dir), 0o600))
	b, problems, err := krt.LoadArchive(t.Context(), file, filepath.Join(t.TempDir(), "x"), krt.Options{Contents: true})
	require.NoError(t, err)
	require.Empty(t, problems)
	require.Empty(t, b.Listed.Left)
	of, _, _ := shipped(t, dir)
	require.Len(t, b.Listed.Files, len(of.Listed.Files))
}

// Nobody can write a .krtignore for a packed bundle: what looks secret in one is named and taken.
func TestSecretsOfAPackedBundleAreNamed(t *testing.T) {
	const proto = "syntax = 'proto3'; message M {} service Entrypoint { rpc Ask(M) returns (M); }"
	entries := []file{
		{name: "krt.yml", data: "version: v\ndescription: d\nentrypoint: {proto: p.proto}\nnodes: [{name: etl, image: " +
			"'konstellation/kre-py:1.23.1', src: src/etl/main.py}]\n" +
			"workflows: [{name: w, entrypoint: Ask, sequential: [etl]}]\n"},
		{name: "p.proto", data: proto}, {name: "src/etl/main.py", data: "def handler(ctx, data):\n    return data\n"},
		{name: "src/etl/server.key", data: privateKey}, {name: ".ssh/config", data: "x"}, {name: ".env", data: "x"}, {name: ".DS_Store",
			data: "x"},
	}
	path := filepath.Join(t.TempDir(), "x.krt")
	require.NoError(t, os.WriteFile(path, krtOf(entries...), 0o600))
	b, problems, err := krt.LoadArchive(t.Context(), path, filepath.Join(t.TempDir(), "x"), krt.Options{Contents: true})
	require.NoError(t, err)
	var texts []string
	for _, p := range problems {
		texts = append(texts, p.String())
	}
	const looks = " and is part of the bundle and its images; if it is one, pack the bundle without it"
	require.Equal(t, []string{
		".env: warning: looks like a secret (its name)" + looks, ".ssh/config: warning: looks like a secret (its name)" + looks,
		"src/etl/server.key: warning: looks like a secret (a private key in it)" + looks,
	}, texts)
	require.Equal(t, []archive.Omission{{Name: ".DS_Store", Reason: archive.Needless, Rule: "a built-in rule"}}, b.Listed.Left)
}

func TestStateOfALocalRunIsNoPartOfABundle(t *testing.T) {
	files := goodBundle()
	files[".krtignore"], files["state/.gitignore"], files["state/store.db"], files["other/.gitignore"] = "docs/\n", archive.StateMark, "x",
		"*\n"
	_, problems, left := shipped(t, write(t, files))
	require.Empty(t, problems)
	require.Equal(t, []string{"state/ a built-in rule"}, left)
}

// keys returns private keys in DER by what they are.
func keys(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	put := func(name string, der []byte, err error) {
		require.NoError(t, err)
		all[name] = der
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalECPrivateKey(curve)
	put("SEC 1", der, err)
	der, err = x509.MarshalPKCS8PrivateKey(curve)
	put("P-256 in PKCS 8", der, err)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	der, err = x509.MarshalPKCS8PrivateKey(edwards)
	put("Ed25519", der, err)
	number, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	put("RSA", x509.MarshalPKCS1PrivateKey(number), nil)
	der, err = x509.MarshalPKCS8PrivateKey(number)
	put("RSA in PKCS 8", der, err)
	return all
}

func TestKeysInDERAreSeen(t *testing.T) {
	for kind, der := range keys(t) {
		files := goodBundle()
		files["a.der"], files["b.key"], files["assets/data"] = string(der), string(der), string(der)
		_, problems, left := shipped(t, write(t, files))
		require.Equal(t, []string{"a.der a built-in rule", "b.key a built-in rule"}, left, kind)
		require.Len(t, problems, 1, kind)
		require.Contains(t, problems[0], "assets/data: warning: looks like a secret (a private key in it)")
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	public, err := x509.MarshalPKIXPublicKey(&curve.PublicKey)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	issued, err := x509.CreateCertificate(rand.Reader, template, template, &curve.PublicKey, curve)
	require.NoError(t, err)
	files := goodBundle()
	files["public.der"], files["ca.der"], files["x.der"], files["y.key"] = string(public), string(issued), "0\x80", "0.1"
	_, problems, left := shipped(t, write(t, files))
	require.Empty(t, problems)
	require.Empty(t, left)
}
