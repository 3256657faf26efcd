package requirement_test

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/requirement"
)

func files(texts map[string]string) fstest.MapFS {
	all := fstest.MapFS{}
	for name, text := range texts {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

func wheel(t testing.TB, metadata string) string {
	t.Helper()
	var file bytes.Buffer
	archive := zip.NewWriter(&file)
	w, err := archive.Create("tiny-1.0.dist-info/METADATA")
	require.NoError(t, err)
	_, err = io.WriteString(w, metadata)
	require.NoError(t, err)
	require.NoError(t, archive.Close())
	return file.String()
}

func lines(items []requirement.Item) (all []string) {
	for _, i := range items {
		all = append(all, i.Line(i.Wheel))
	}
	return all
}

func TestTaken(t *testing.T) {
	sha := strings.Repeat("ab", 32)
	for text, want := range map[string]string{
		"requests":                              "requests",
		"requests==2.31.0":                      "requests==2.31.0",
		"  requests == 2.31.0  # why":           "requests==2.31.0",
		"Flask[async, dotenv] >=2,<4 , !=3.0.*": "Flask[async,dotenv]>=2,<4,!=3.0.*",
		"numpy (>=1.2)":                         "numpy>=1.2",
		"torch===2.1.0+cpu":                     "torch===2.1.0+cpu",
		"zope.interface~=6.0":                   "zope.interface~=6.0",
		"tomli>=1; python_version < '3.11'":     "tomli>=1 ; python_version < '3.11'",
		`a;(os_name=="nt" or sys_platform not  in "win32, cygwin") and extra == 'x'`: `a ; (os_name == "nt" or sys_platform not in "win32, ` +
			`cygwin") and extra == 'x'`,
		"a==1 \\\n  --hash=sha256:" + sha + " \\\n  --hash sha256:" + sha: "a==1 --hash=sha256:" + sha + " --hash=sha256:" + sha,
		"./wheels/tiny-1.0-py3-none-any.whl ; python_version>='3'": "src/wheels/tiny-1.0-py3-none-any.whl ; " +
			"python_version >= '3'",
		"./wheels/tiny-1.0-py3-none-any.whl[fast, gpu] ; os_name=='nt'": "src/wheels/tiny-1.0-py3-none-any.whl[fast,gpu] ; " +
			"os_name == 'nt'",
		"-c more.txt\n-r more.txt":                      "more",
		"\xff\xfea\x00=\x00=\x001\x00\r\x00\n\x00b\x00": "a==1 b",
		"\xfe\xff\x00a\x00\n\x00b":                      "a b",
		"../tiny-1.0-py3-none-any.whl":                  "tiny-1.0-py3-none-any.whl",
		"# nothing\n\n   \n":                            "",
		"\ufeffrequests\r\nidna\r\n":                    "requests idna",
		"--only-binary :all:\na":                        "a",
		"--prefer-binary\na":                            "a",
		"a#b":                                           "!",
		"-r more.txt\nz":                                "more z",
		"--requirement=more.txt":                        "more",
		"-rmore.txt\n-r 'more.txt'":                     "more",
		"# comment \\\na":                               "a",
		"-r requirements.txt\na":                        "a",
		"-r ../constraints.txt\n- -a":                   "!",
	} {
		list, err := requirement.Read(files(map[string]string{
			"src/requirements.txt": text, "src/more.txt": "more\n", "constraints.txt": "-r requirements.txt",
			"src/wheels/tiny-1.0-py3-none-any.whl": wheel(t, "Name: tiny\nRequires-Dist: a (>1)\n\nmail me @ home\n"),
			"tiny-1.0-py3-none-any.whl":            wheel(t, ""),
		}), "src/requirements.txt")
		if want == "!" {
			require.Error(t, err, text)
			continue
		}
		require.NoError(t, err, text)
		require.Equal(t, want, strings.Join(lines(list.Items), " "), text)
	}
}

func TestConstraintsAndOptions(t *testing.T) {
	list, err := requirement.Read(files(map[string]string{
		"requirements.txt":       "--pre\n--require-hashes\n-c limits/constraints.txt\nMy_Package\n",
		"limits/constraints.txt": "idna<4\n-r more.txt\n", "limits/more.txt": "attrs<24\n",
	}), "requirements.txt")
	require.NoError(t, err)
	require.Equal(t, []string{"idna<4", "attrs<24"}, lines(list.Constraints), "what a constraints file requires is a constraint as well")
	require.Equal(t, []string{"--pre", "--require-hashes"}, list.Options)
	require.True(t, list.Names("my-package"))
	require.False(t, list.Names("idna"))
}

func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"-e .": `"-e ." is an editable install, whose build would run where the image is made: put a ` +
			`wheel of it into the bundle`,
		"--editable=git+https://x.org/a": "is an editable install",
		"./src/evil": `"./src/evil" is a folder or an archive of sources, whose build would run where the image is ` +
			`made: put a wheel of it`,
		"src/evil":                        "is a folder or an archive of sources",
		".":                               "is a folder or an archive of sources",
		"..":                              "is a folder or an archive of sources",
		"~/evil":                          "is a folder or an archive of sources",
		`src\evil`:                        "is a folder or an archive of sources",
		"evil-1.0.tar.gz":                 "is a folder or an archive of sources",
		"evil.zip ; python_version > '3'": "is a folder or an archive of sources",
		"pkg @ https://x.org/pkg.tar.gz": "is downloaded from a URL of its own, and built if it is not a wheel: write " +
			"NAME==VERSION, or put a wheel of it",
		"pkg[extra] @ file:///etc":               "is downloaded from a URL of its own",
		"pkg @ ./src/evil":                       "names where the package is downloaded from",
		"pkg@./src/evil":                         "names where the package is downloaded from",
		"https://x.org/pkg-1.0-py3-none-any.whl": "is downloaded from a URL of its own",
		"file:./tiny-1.0-py3-none-any.whl":       "is downloaded from a URL of its own",
		"git+ssh://git@x.org/a#egg=a":            "is downloaded from a URL of its own",
		"--no-binary :all:": "asks for builds, which would run where the image is made: only wheels are installed: " +
			"leave it out",
		"--no-binary=a": "asks for builds",
		"-i https://x.org/simple": "chooses the package index, which is set on the machine that builds images: leave it " +
			"out and name the index",
		"--extra-index-url https://x.org/simple": "chooses the package index",
		"--index-url=https://x.org":              "chooses the package index",
		"--trusted-host x.org":                   "chooses the package index",
		"-f wheels":                              `"-f wheels" is a place to find packages: write the path of each wheel`,
		"--find-links=wheels":                    "is a place to find packages",
		"--use-feature=fast-deps":                "is an option that requirements of a node may not have: leave it out",
		"--config-settings x=y":                  "is an option that requirements of a node may not have",
		"a --global-option=--x":                  "has an option that is not a hash of SHA-256",
		"a --config-settings=x=y":                "has an option that is not a hash",
		"a --hash=md5:00":                        "has an option that is not a hash",
		"--hash=sha256:00":                       "is a hash without a package",
		"a==${VERSION}":                          "names a variable of the environment: write its value",
		"-r /etc/requirements.txt":               "names a file outside of the bundle: put it into the bundle",
		"-r ../../x.txt":                         "names a file outside of the bundle",
		"-r https://x.org/r.txt":                 "names a file outside of the bundle",
		"-c file:///etc/passwd":                  "names a file outside of the bundle",
		"-r":                                     "names a file outside of the bundle",
		"-r absent.txt":                          `cannot read "src/absent.txt": it is not in the bundle`,
		"/wheels/tiny-1.0-py3-none-any.whl":      "is a wheel outside of the bundle: put it into the bundle",
		"../../tiny-1.0-py3-none-any.whl":        "is a wheel outside of the bundle",
		"./absent-1.0-py3-none-any.whl":          "is not in the bundle: put it there",
		"./tiny.whl":                             "is not the name of a wheel",
		"./bad-1.0-py3-none-any.whl":             "is not a wheel that can be installed: zip: not a valid zip file",
		"./fetches-1.0-py3-none-any.whl": `it has "Requires-Dist: evil @ https://x.org/evil.tar.gz", a package ` +
			`from a URL of its own`,
		"a b":               `"a b" is not a requirement: write NAME==VERSION`,
		"a==":               "is not a requirement",
		"a[":                "is not a requirement",
		"a; python_version": "is not a requirement",
		"a; python_version > '3 --no-binary=:all:'":                                "is not a requirement",
		"a; python_version > '3' --no-deps":                                        "has an option that is not a hash",
		"a; unknown > '3'":                                                         "is not a requirement",
		"a; " + strings.Repeat("(", 50) + "os_name=='a'" + strings.Repeat(")", 50): "is not a requirement",
		"na\u00efve":                    "is not a requirement",
		"-c wheels.txt":                 "src/wheels.txt:1: \"./tiny-1.0-py3-none-any.whl\" is a wheel, and a constraint can only limit versions",
		"\x00":                          "is not a requirement",
		"\xff":                          "it is not text in UTF-8",
		"./tiny-1.0-py3-none-any.whl[a": "is a folder or an archive of sources",
		"--pre=1":                       "has a value, which this option does not take",
		"-":                             "is an option that requirements of a node may not have",
		"a\x0b@ file:///evil":           "is downloaded from a URL",
	} {
		_, err := requirement.Read(files(map[string]string{
			"src/requirements.txt": "first\n" + text + "\n",
			"src/wheels.txt":       "./tiny-1.0-py3-none-any.whl",
			"src/tiny.whl":         "", "src/bad-1.0-py3-none-any.whl": "no zip",
			"src/tiny-1.0-py3-none-any.whl":    wheel(t, ""),
			"src/fetches-1.0-py3-none-any.whl": wheel(t, "Name: x\nrequires-dist: a\nRequires-Dist: evil\n @ https://x.org/evil.tar.gz\n"),
		}), "src/requirements.txt")
		require.ErrorContains(t, err, want, "%q", text)
		var refused *requirement.Error
		require.ErrorAs(t, err, &refused)
		require.Len(t, refused.Problems, 1, text)
		require.Contains(t, []int{0, 1, 2}, refused.Problems[0].Line)
	}
	_, err := requirement.Read(files(map[string]string{"r.txt": "-e .\n\na\n-i x\n"}), "r.txt")
	require.ErrorContains(t, err, "r.txt:1: \"-e .\" is")
	require.ErrorContains(t, err, "\n  r.txt:4: \"-i x\" chooses", "all of them at once")
}

func TestAPipeIsNotOpened(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "a-1-py3-none-any.whl"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "r.txt"), []byte("-r pipe\n./a-1-py3-none-any.whl\n"), 0o600))
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer root.Close()
	_, err = requirement.Read(root.FS(), "r.txt")
	require.EqualError(t, err, "r.txt:1: cannot read \"pipe\": it is not a regular file\n  "+
		"r.txt:2: \"./a-1-py3-none-any.whl\" cannot be read: it is not a regular file")
}

func TestBounds(t *testing.T) {
	_, err := requirement.Read(files(map[string]string{"r.txt": strings.Repeat("#", 1<<20+1)}), "r.txt")
	require.ErrorContains(t, err, "it is larger than 1048576 bytes")
	_, err = requirement.Read(files(map[string]string{"r.txt": strings.Repeat("a\n", 10_001)}), "r.txt")
	require.EqualError(t, err, "r.txt:10001: there are more than 10000 lines of requirements")
	_, err = requirement.Read(files(map[string]string{"r.txt": strings.Repeat("-e .\n", 100)}), "r.txt")
	require.ErrorContains(t, err, "and 80 more")
	many := map[string]string{}
	for i := range 70 {
		many[strings.Repeat("r", i+1)] = "-r " + strings.Repeat("r", i+2)
	}
	_, err = requirement.Read(files(many), "r")
	require.ErrorContains(t, err, "requirements are in more than 64 files")
}

// What is taken is given to pip in a form that pip reads in the same way.
func FuzzRead(f *testing.F) {
	for _, text := range []string{"a==1 # x", "a[b]>=1 ; python_version < '3' --hash=sha256:00", "-r r.txt", "-e .", "./w.whl",
		"a @ https://x", "a \\\nb", "\ufeff--pre"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := requirement.Read(files(map[string]string{"requirements.txt": text, "r.txt": "b==2\n"}), "requirements.txt")
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		for _, i := range append(list.Items, list.Constraints...) {
			line := i.Line("")
			require.NotRegexp(t, `[^ -~]|^-|://|@|#|\$|\\|/ `, line)
			require.NotRegexp(t, ` -`, strings.ReplaceAll(line, " --hash=sha", ""))
			again, err := requirement.Read(files(map[string]string{"requirements.txt": line}), "requirements.txt")
			require.NoError(t, err, line)
			require.Equal(t, line, again.Items[0].Line(""))
		}
	})
}

func TestRefusalsShowNoPassword(t *testing.T) {
	for line, want := range map[string]string{
		"--extra-index-url https://u:p4ss@host/simple":           `"--extra-index-url https://***@host/simple"`,
		"--index-url=https://u:p4/ss@p4ss@host/simple":           `"--index-url=https://***@host/simple"`,
		"-i https://p4ss@host":                                   `"-i https://***@host"`,
		"-f https://" + strings.Repeat("p4ss", 50) + "@host/all": `"-f https://***@host/all"`,
		"a @ https://u:p4ss@host/a.whl":                          `"a @ https://***@host/a.whl"`,
		"git+https://u:p4ss@host/a.git":                          `"git+https://***@host/a.git"`,
		"--weird https://u:p4ss@host --other //u:p4ss@b":         `"--weird https://***@host --other //***@b"`,
		"-r https://u:p4ss@host/more.txt":                        `"-r https://***@host/more.txt"`,
		"https://u:${P4SS}p4ss@host/a.whl":                       `"https://***@host/a.whl"`,
		"git+https://host/a.git@v1":                              `"git+https://host/a.git@v1"`,
	} {
		_, err := requirement.Read(files(map[string]string{"requirements.txt": line}), "requirements.txt")
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "p4ss")
	}
}
