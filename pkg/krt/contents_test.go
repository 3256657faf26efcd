package krt_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/krt/archive"
)

const (
	privateKey  = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"
	certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
)

// shipped loads the bundle in dir as it is to be packed, and returns the problems and what is left out.
func shipped(t *testing.T, dir string) (b *krt.Bundle, problems, left []string) {
	t.Helper()
	b, found, err := krt.Load(t.Context(), dir, krt.Options{Contents: true})
	require.NoError(t, err)
	for _, p := range found {
		problems = append(problems, p.String())
	}
	if b != nil {
		for _, o := range b.Listed.Left {
			left = append(left, o.Name+" "+o.Rule)
		}
	}
	return b, problems, left
}

func TestSecretsStayOutOfBundleAndImages(t *testing.T) {
	files := goodBundle()
	for name, text := range map[string]string{
		".env": "DB_PASS=x", "src/etl/.env.local": "", ".env.example": "", ".ssh/id_rsa": "key", ".aws/credentials": "", "id_ed25519": "",
		"certs/server.pem": privateKey,
		"certs/ca.pem":     certificate, "certs/tls.key": privateKey, "venv/pyvenv.cfg": "", "env311/pyvenv.cfg": "", "env311/x.py": "",
		"src/etl/__pycache__/m.pyc": "",
		"node_modules/x.js":         "", ".idea/x": "", "src/etl/main.py~": "", "src/etl/.main.py.swp": "", ".DS_Store": "", "._krt.yml": "",
	} {
		files[name] = text
	}
	dir := write(t, files)
	b, problems, left := shipped(t, dir)
	require.Empty(t, problems)
	const why = " a built-in rule"
	require.Equal(t, []string{
		".DS_Store" + why, "._krt.yml" + why, ".aws/" + why, ".env" + why, ".idea/" + why, ".ssh/" + why, "certs/server.pem" +
			why, "certs/tls.key" + why, "env311/" + why,
		"id_ed25519" + why, "node_modules/" + why, "src/etl/.env.local" + why, "src/etl/.main.py.swp" + why, "src/etl/__pycache__/" +
			why, "src/etl/main.py~" + why, "venv/" + why,
	}, left)
	// Images take what Contents lists.
	listed, err := b.Contents(t.Context(), archive.Limits{})
	require.NoError(t, err)
	packed := strings.Join(names(t, pack(t, dir)), "\n")
	for _, f := range listed.Files {
		require.Contains(t, packed, f.Name)
	}
	require.NotContains(t, packed, "id_rsa")
	require.Contains(t, packed, "certs/ca.pem")
	require.Contains(t, packed, ".env.example")
}

func TestWhatIsPackedAndLooksSecretIsNamed(t *testing.T) {
	files := goodBundle()
	files[".krtignore"] = "!.env\n"
	files[".env"] = "taken back on purpose"
	files["config/credentials.json"] = "{}"
	files["src/etl/settings.py"] = `KEY = "AKIAIOSFODNN7EXAMPLE"`
	files["assets/id"] = privateKey
	files["src/etl/tokenizer.json"] = "{}"
	_, problems, _ := shipped(t, write(t, files))
	require.Equal(t, []string{
		`assets/id: warning: looks like a secret (a private key in it) and is part of the bundle and its images; list it in .krtignore, or ` +
			`remove the secret from it`,
		`config/credentials.json: warning: looks like a secret (its name) and is part of the bundle and its images; list it in .krtignore, or ` +
			`remove the secret from it`,
		`src/etl/settings.py: warning: looks like a secret (an access key in it) and is part of the bundle and its images; list it in ` +
			`.krtignore, or remove the secret from it`,
	}, problems)
}

func TestGitignoreHoldsWhereThereIsNoKrtignore(t *testing.T) {
	files := goodBundle()
	files[".gitignore"] = "*.csv\n/models/\n"
	files["src/etl/.gitignore"] = "local.py\n"
	files["data.csv"], files["models/m"], files["src/etl/local.py"], files["src/model/local.py"] = "", "", "", ""
	_, problems, left := shipped(t, write(t, files))
	require.Empty(t, problems)
	require.Equal(t, []string{"data.csv .gitignore:1", "models/ .gitignore:2", "src/etl/local.py src/etl/.gitignore:1"}, left)

	files[".krtignore"] = "models\n"
	dir := write(t, files)
	_, _, left = shipped(t, dir)
	require.Equal(t, []string{"models/ .krtignore:1"}, left)
}

// What a packed bundle holds was chosen when it was packed.
func TestGitignoreOfAPackedBundleHoldsNoMore(t *testing.T) {
	files := goodBundle()
	files[".krtignore"], files[".gitignore"], files["models/m"] = ".krtignore\n", "models\n", ""
	file := filepath.Join(t.TempDir(), "x.krt")
	require.NoError(t, os.WriteFile(file, pack(t, write(t, files)), 0o600))
	b, problems, err := krt.LoadArchive(t.Context(), file, filepath.Join(t.TempDir(), "x"), krt.Options{Contents: true})
	require.NoError(t, err)
	require.Empty(t, problems)
	require.Empty(t, b.Listed.Left)
}

func TestLoadRefusesWhatPackRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, dir string)
		want   string
	}{
		"proto left out": {func(t *testing.T, dir string) { put(t, dir, ".krtignore", "*.proto") },
			`krt.yml:5:10: proto "public_input.proto" is left out of the bundle by .krtignore:1; change that line`},
		"code left out by git": {func(t *testing.T, dir string) { put(t, dir, ".gitignore", "# built\nbin/") },
			`node "output": src "bin/output" is left out of the bundle by .gitignore:2; write a .krtignore, which replaces .gitignore`},
		"Go code left out": {func(t *testing.T, dir string) { put(t, dir, ".krtignore", "src/second/main.go") },
			`node "2nd": file "src/second/main.go" is left out of the bundle by .krtignore:1`},
		"link": {func(t *testing.T, dir string) { require.NoError(t, os.Symlink("krt.yml", filepath.Join(dir, "link"))) },
			`link: it is a symbolic link; a bundle can contain only files and folders`},
		"bad pattern": {func(t *testing.T, dir string) { put(t, dir, ".krtignore", "\n[a") },
			`krt.yml:1:1: .krtignore:2: pattern "[a" is not a glob`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, goodBundle())
			c.change(t, dir)
			b, problems, _ := shipped(t, dir)
			require.Nil(t, b)
			require.Len(t, problems, 1)
			require.Contains(t, problems[0], c.want)
		})
	}
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
}

// Which versions a Go node without a go.mod is built with, nobody has said: the repository's are not used.
func TestVersionsThatNobodyHasSaidAreNamed(t *testing.T) {
	files := map[string]string{}
	for name, text := range goodBundle() {
		files["versions/mine/"+name] = strings.ReplaceAll(text, "bin/output", "src/output.py")
	}
	files["versions/mine/src/output.py"] = "from shared import handler\n"
	delete(files, "versions/mine/src/second/go.mod")
	files["go.mod"] = "module example.com/repository\n\nrequire github.com/google/uuid v1.0.0\n"
	main := "versions/mine/src/second/main.go"
	files[main] = "package main\n\nimport (\n\t\"fmt\"\n\t\"google.golang.org/protobuf/proto\"\n\t\"krt.dev/kn-krt/pkg/runner\"\n)\n"
	problems := func() []string {
		_, problems := load(t, filepath.Join(write(t, files), "versions", "mine"))
		return problems
	}
	require.Empty(t, problems(), "they are the SDK's")

	files[main] = "package main\n\nimport \"github.com/google/uuid\"\n"
	const want = `krt.yml:25:57: warning: node "2nd": there is no go.mod for it in the bundle, and "../../go.mod" above the bundle is not ` +
		`used: the newest versions of what it imports are taken (github.com/google/uuid); make one (go mod init), and require there the ` +
		`versions that you want`
	require.Equal(t, []string{want}, problems())

	delete(files, "go.mod")
	require.Equal(t, []string{strings.Replace(want, `, and "../../go.mod" above the bundle is not used`, "", 1)}, problems())

	imports := "package main\n\nimport (\n"
	for i := range 5 {
		imports += fmt.Sprintf("\t\"example.com/m%d\"\n", i)
	}
	files[main] = imports + ")\n"
	require.Contains(t, problems()[0], "(example.com/m0, example.com/m1, example.com/m2 and 2 more)")

	files["versions/mine/go.mod"] = "module mine\n"
	require.Empty(t, problems())
}

func TestGoModulesFromOutsideAreNamed(t *testing.T) {
	files := goodBundle()
	files["src/second/go.mod"] = `module example.com/second

go 1.25.0

replace example.com/inside => ../lib

replace (
	example.com/outside => ../../../outside
	krt.dev/kn-krt/pkg/runner => ../../../../sdk
)
`
	files["src/second/vendor/modules.txt"] = "" // builds do not look there
	dir := write(t, files)
	require.NoError(t, os.Symlink(t.TempDir(), filepath.Join(dir, "src", "lib")))
	b, problems := load(t, dir)
	require.Equal(t, []string{
		`src/second/go.mod:5:1: warning: replace example.com/inside: "../lib" is outside the bundle; copy the module into the bundle`,
		`src/second/go.mod:8:2: warning: replace example.com/outside: "../../../outside" is outside the bundle; copy the module into the bundle`,
	}, problems)
	outside, err := b.Outside("src/second")
	require.NoError(t, err)
	require.Len(t, outside, 2)

	require.NoError(t, os.Remove(filepath.Join(dir, "src", "lib")))
	_, problems = load(t, dir)
	require.Len(t, problems, 1)
}

func TestArchivesWithoutAManifestAreNamedByTheirFile(t *testing.T) {
	inner := krtOf(file{name: "krt.yml", data: "x"})
	for name, c := range map[string]struct {
		packed []byte
		want   string
	}{
		"empty": {krtOf(), "the archive is empty"},
		"a folder": {krtOf(file{name: "my-version/krt.yml", data: "x"}),
			`there is no krt.yml at the archive's root, but there is one in its folder "my-version": pack that folder instead`},
		"archive": {krtOf(file{name: "inner.krt", data: string(inner)}),
			`there is no krt.yml at the archive's root, but it contains the archive "inner.krt": use that one`},
		"near name": {krtOf(file{name: "krt.yl", data: ""}), `there is no krt.yml at the archive's root; did you mean "krt.yl"?`},
		"others":    {krtOf(file{name: "README.md", data: ""}), `there is no krt.yml at the archive's root`},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.krt")
			require.NoError(t, os.WriteFile(path, c.packed, 0o600))
			_, _, err := krt.LoadArchive(t.Context(), path, filepath.Join(t.TempDir(), "to"), krt.Options{})
			require.EqualError(t, err, `cannot load bundle "`+path+`": `+c.want)
		})
	}
	path := filepath.Join(t.TempDir(), "x.krt")
	require.NoError(t, os.WriteFile(path, bytes.Repeat([]byte("x"), 100), 0o600))
	_, _, err := krt.LoadArchive(t.Context(), path, filepath.Join(t.TempDir(), "to"), krt.Options{})
	require.EqualError(t, err, path+": cannot unpack: it is not a .krt file: it does not begin with a gzip header")
}
