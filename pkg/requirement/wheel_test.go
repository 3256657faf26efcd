package requirement_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/requirement"
)

// archive returns a zip archive of files, in pairs of a name and a text.
func archive(t testing.TB, extra []byte, files ...string) string {
	t.Helper()
	var file bytes.Buffer
	w := zip.NewWriter(&file)
	for i := 0; i < len(files); i += 2 {
		entry, err := w.CreateHeader(&zip.FileHeader{Name: files[i], Extra: extra})
		require.NoError(t, err)
		_, err = io.WriteString(entry, files[i+1])
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return file.String()
}

const tiny = "tiny-1.0-py3-none-any.whl"

// A wheel is refused whose metadata pip reads otherwise than it is read here.
func TestWheelsThatHideARequirement(t *testing.T) {
	const (
		info = "tiny-1.0.dist-info/"
		evil = "Name: tiny\nRequires-Dist: evil @ file:///elsewhere/evil-1.0-py3-none-any.whl\n"
		good = "Name: tiny\nRequires-Dist: a ; extra == 'b'\n"
	)
	from := "a package from a URL of its own"
	notSame := "which not all programs read in the same way"
	for name, c := range map[string]struct {
		wheel, want string
	}{
		"a lone carriage return ends a header": {wheel(t, "Summary: a\rRequires-Dist: evil @ file:///x.whl\n"), from},
		"CRLF":                                 {wheel(t, "Summary: a\r\nRequires-Dist: evil @ file:///x.whl\r\n\r\n"), from},
		"folded by a carriage return":          {wheel(t, "Requires-Dist: evil\r @ file:///x.whl\n"), from},
		"a second requirement in a folded one": {wheel(t, "Requires-Dist: a ; os_name == 'x'\n evil @ file:///x.whl\n"), from},
		"one after a separator of lines":       {wheel(t, "Requires-Dist: a ; os_name == 'x'\u2028evil @ file:///x.whl\n"), from},
		"one after a form feed":                {wheel(t, "Requires-Dist: a ; os_name == 'x'\fevil @ file:///x.whl\n"), from},
		"a name cut at NUL":                    {archive(t, nil, info+"METADATA", good, info+"METADATA\x00q", evil), notSame},
		"a name with a NUL only":               {archive(t, nil, info+"METADATA\x00q", evil), notSame},
		"a name that is not clean":             {archive(t, nil, info+"./METADATA", evil), notSame},
		"a doubled slash":                      {archive(t, nil, "tiny-1.0.dist-info//METADATA", evil), notSame},
		"a name that leads out":                {archive(t, nil, info+"METADATA", good, "../x", ""), notSame},
		"a second name": {archive(t, []byte("\x75\x70\x05\x00\x01abcd"),
			info+"METADATA", good), notSame},
		"twice": {archive(t, nil, info+"METADATA", good, info+"METADATA", evil), "it has more than one METADATA"},
		"of two packages": {archive(t, nil, info+"METADATA", good, "b-1.dist-info/METADATA", good),
			"it has more than one METADATA"},
		"none": {archive(t, nil, "a/tiny-1.0.dist-info/METADATA", good), "it has no file NAME.dist-info/METADATA"},
		"that of another package": {archive(t, nil, info+"METADATA", good, "tiny-1.0.data/purelib/b-1.dist-info/direct_url.json", ""),
			"is metadata of another package"},
	} {
		_, err := requirement.Read(files(map[string]string{"requirements.txt": "./" + tiny, tiny: c.wheel}), "requirements.txt")
		require.ErrorContains(t, err, c.want, name)
	}
	for name, w := range map[string]string{
		"an address in the description": wheel(t, "Name: x\r\n\r\nRequires-Dist: a @ b\r\n"),
		"an address of another header":  wheel(t, "Requires-Dist: a\nAuthor-Email: a@b.org\n me@b.org\n"),
		"packages that a package carries": archive(t, nil, info+"METADATA", good, "tiny/_vendor/b-1.dist-info/METADATA", evil,
			"tiny/", ""),
		"a marker with the sign of an address":   wheel(t, "Requires-Dist: a ; extra == 'x@y'\n"),
		"another extra field (a time, as of 7z)": archive(t, []byte("UT\x01\x00\x00"), info+"METADATA", good),
	} {
		_, err := requirement.Read(files(map[string]string{"requirements.txt": "./" + tiny, tiny: w}), "requirements.txt")
		require.NoError(t, err, name)
	}
}

// counting counts how often the file is opened.
type counting struct {
	fstest.MapFS
	opened map[string]int
}

// Open opens a file.
func (c counting) Open(name string) (fs.File, error) {
	c.opened[name]++
	return c.MapFS.Open(name)
}

func TestAWheelIsLookedAtOnce(t *testing.T) {
	for content, good := range map[string]bool{wheel(t, ""): true, "no zip": false} {
		var lines strings.Builder
		for i := range 9000 {
			fmt.Fprintf(&lines, "./%s[x%d]\n", tiny, i)
		}
		bundle := counting{files(map[string]string{"r.txt": lines.String(), tiny: content}), map[string]int{}}
		_, err := requirement.Read(bundle, "r.txt")
		require.Equal(t, good, err == nil)
		require.Equal(t, 1, bundle.opened[tiny])
	}
}
