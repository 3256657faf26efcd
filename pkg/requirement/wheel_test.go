package requirement_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
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

// withLists returns the archive with bytes between its list of files and its end.
func withLists(archive, between string) string {
	end := len(archive) - 22
	return archive[:end] + between + archive[end:]
}

// listOf is the list of files of an archive.
func listOf(archive string) string {
	end := archive[len(archive)-22:]
	at := binary.LittleEndian.Uint32([]byte(end[16:]))
	return archive[at:][:binary.LittleEndian.Uint32([]byte(end[12:]))]
}

// wideEnd is the end of an archive in the newer form (zip64), at a place, of a list before it with one file.
func wideEnd(list string, at int) string {
	le := binary.LittleEndian
	end := append([]byte("PK\x06\x06"), make([]byte, 52)...)
	le.PutUint64(end[4:], 44)
	le.PutUint64(end[24:], 1)
	le.PutUint64(end[32:], 1)
	le.PutUint64(end[40:], uint64(len(list)))
	le.PutUint64(end[48:], uint64(at-len(list)))
	end = append(end, "PK\x06\x07\x00\x00\x00\x00"...)
	return string(le.AppendUint32(le.AppendUint64(end, uint64(at)), 1))
}

// Go and Python find the list of an archive's files in different ways: pip could install what was not looked at.
func TestWheelsWithTwoListsOfFiles(t *testing.T) {
	good := archive(t, nil, "tiny-1.0.dist-info/METADATA", "Name: tiny\n")
	list, end := listOf(good), len(good)-22
	commented := good[:end-len(list)] + list[:32] + string(binary.LittleEndian.AppendUint16(nil, uint16(len(list)+76))) + list[34:] +
		list + wideEnd(list, end+len(list)) + good[end:end+12] +
		string(binary.LittleEndian.AppendUint32(nil, uint32(2*len(list)+76))) + good[end+16:]
	for name, c := range map[string]struct {
		wheel string
		good  bool
	}{
		"one": {good, true}, "with a comment": {good[:len(good)-2] + "\x01\x00x", true},
		"the newer end":                    {withLists(good, wideEnd(list, end)), true},
		"another one before the end":       {withLists(good, "x"+list), false},
		"bytes before the end":             {withLists(good, "x"), false},
		"another one before the newer end": {withLists(good, "x"+list+wideEnd(list, end+1+len(list))), false},
		"another one in a comment":         {commented, false},
		"the newer end elsewhere":          {withLists(good, "x"+wideEnd(list, end)), false},
	} {
		_, err := requirement.Read(files(map[string]string{"requirements.txt": "./" + tiny, tiny: c.wheel}), "requirements.txt")
		if c.good {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, "programs may differ in where they find the list of its files", name)
	}
	const many = 1<<16 + 1 // more than the older end can count
	all := []string{"tiny-1.0.dist-info/METADATA", "Name: tiny\n"}
	for i := range many {
		all = append(all, fmt.Sprintf("tiny/%d", i), "")
	}
	_, err := requirement.Read(files(map[string]string{"requirements.txt": "./" + tiny, tiny: archive(t, nil, all...)}), "requirements.txt")
	require.NoError(t, err)
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
