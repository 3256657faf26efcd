package archive_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt/archive"
)

// file is an entry of an archive to be made.
type file struct {
	name string
	flag byte // 0 for a file, or a folder if the name ends in a slash
	data string
	link string
	pax  map[string]string
}

// tarOf makes a tar of entries, without its end marker unless ended.
func tarOf(ended bool, entries ...file) []byte {
	var text bytes.Buffer
	w := tar.NewWriter(&text)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Typeflag: e.flag, Linkname: e.link, Mode: 0o644, Size: int64(len(e.data)), PAXRecords: e.pax}
		if e.flag == 0 && strings.HasSuffix(e.name, "/") {
			header.Typeflag = tar.TypeDir
		} else if e.flag == 0 {
			header.Typeflag = tar.TypeReg
		}
		if e.flag == tar.TypeXGlobalHeader {
			header = &tar.Header{Typeflag: e.flag, PAXRecords: e.pax}
		}
		if err := w.WriteHeader(header); err != nil {
			panic(err)
		}
		if _, err := io.WriteString(w, e.data); err != nil {
			panic(err)
		}
	}
	end := w.Close
	if !ended {
		end = w.Flush
	}
	if err := end(); err != nil {
		panic(err)
	}
	return text.Bytes()
}

func zip(data []byte) []byte {
	var packed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	_, _ = w.Write(data)
	_ = w.Close()
	return packed.Bytes()
}

func krtOf(entries ...file) []byte { return zip(tarOf(true, entries...)) }

// patch changes the header that stands at offset at to one that the tar writer would not
// write, checksum included.
func patch(tarball []byte, at int, change func(header []byte)) []byte {
	tarball = bytes.Clone(tarball)
	header := tarball[at : at+512]
	change(header)
	copy(header[148:156], "        ")
	sum := 0
	for _, b := range header {
		sum += int(b)
	}
	copy(header[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return tarball
}

// rename changes the name of the first entry.
func rename(tarball []byte, to string) []byte {
	return patch(tarball, 0, func(header []byte) {
		clear(header[:100])
		copy(header, to)
	})
}

// retype changes the type of the first entry.
func retype(tarball []byte, flag byte) []byte {
	return patch(tarball, 0, func(header []byte) { header[156] = flag })
}

type hostile struct {
	name   string
	packed []byte
	want   string
	limits archive.Limits
}

// hostileArchives is the corpus of what Unpack must refuse.
var hostileArchives = sync.OnceValue(makeHostileArchives)

func makeHostileArchives() []hostile {
	good := file{name: "krt.yml", data: "version: v1\n"}
	whole := krtOf(good, file{name: "src/main.py", data: strings.Repeat("print()\n", 1000)})
	many := make([]file, 50)
	for i := range many {
		many[i] = file{name: fmt.Sprintf("d%d/f", i)}
	}
	zeros := strings.Repeat("\x00", 17<<20)
	sparse := tarOf(true, file{name: "s", data: "0\n" + strings.Repeat("\x00", 510),
		pax: map[string]string{"XXX.sparse.major": "1", "XXX.sparse.minor": "0", "XXX.sparse.name": "s", "XXX.sparse.realsize": "4000000000"}})
	long, none := strings.Repeat("n", 256), archive.Limits{}
	return []hostile{
		{"outside", krtOf(good, file{name: "../evil"}), `entry "../evil": its path is outside the bundle`, none},
		{"outside, further in", krtOf(file{name: "a/../../evil"}), `entry "a/../../evil": its path is outside the bundle`, none},
		{"outside, at the end", krtOf(file{name: "a/.."}), `entry "a/..": its path is outside the bundle`, none},
		{"outside after ./", krtOf(file{name: "./../evil"}), `entry "./../evil": its path is outside the bundle`, none},
		{"absolute", krtOf(file{name: "/etc/passwd"}), `entry "/etc/passwd": its path is absolute`, none},
		{"absolute after ./", krtOf(file{name: ".//etc/passwd"}), `entry ".//etc/passwd": its path is absolute`, none},
		{"not its shortest form", krtOf(file{name: "a//b"}), `entry "a//b": its path is not in its shortest form`, none},
		{"dots inside", krtOf(file{name: "a/./b"}), `entry "a/./b": its path is not in its shortest form`, none},
		{"no name", zip(rename(tarOf(true, good), "")), `entry "": it has no name`, none},
		{"the root as a file", krtOf(file{name: "."}), `entry ".": it has no name`, none},
		{"symbolic link", krtOf(good, file{name: "l", flag: tar.TypeSymlink, link: "/etc"}),
			`entry "l": it is a symbolic link; a bundle can contain only files and folders`, none},
		{"through a symbolic link", krtOf(file{name: "l", flag: tar.TypeSymlink, link: ".."}, file{name: "l/evil"}),
			`entry "l": it is a symbolic link`, none},
		{"hard link", krtOf(good, file{name: "l", flag: tar.TypeLink, link: "krt.yml"}), `entry "l": it is a hard link`, none},
		{"character device", krtOf(file{name: "d", flag: tar.TypeChar}), `entry "d": it is a device`, none},
		{"block device", krtOf(file{name: "d", flag: tar.TypeBlock}), `entry "d": it is a device`, none},
		{"named pipe", krtOf(file{name: "p", flag: tar.TypeFifo}), `entry "p": it is a named pipe`, none},
		{"contiguous file", krtOf(file{name: "c", flag: tar.TypeCont}), `entry "c": it is a tar entry of type '7'`, none},
		{"same file twice", krtOf(good, good), `entry "krt.yml": it is in the archive twice`, none},
		{"same folder twice", krtOf(file{name: "a/"}, file{name: "a/"}), `entry "a/": it is in the archive twice`, none},
		{"letter case", krtOf(good, file{name: "KRT.yml"}), `entry "KRT.yml": "KRT.yml" clashes with another name`, none},
		{"letter case of a folder", krtOf(file{name: "src/a"}, file{name: "Src/b"}), `entry "Src/b": "Src" clashes with another name`, none},
		{"form of accents", krtOf(file{name: "caf\u00e9"}, file{name: "cafe\u0301"}), `clashes with another name`, none},
		{"letter case beyond ASCII", krtOf(file{name: "\u212a"}, file{name: "k"}), `entry "k": "k" clashes with another name`, none},
		{"file, then folder", krtOf(file{name: "a"}, file{name: "a/b"}), `entry "a/b": "a" is a file and a folder at once`, none},
		{"folder, then file", krtOf(file{name: "a/b"}, file{name: "a"}), `entry "a": "a" is a file and a folder at once`, none},
		{"backslash", krtOf(file{name: `a\b`}), `entry "a\\b": its name contains a backslash`, none},
		{"control character", krtOf(file{name: "a\x1b[2J"}), `its name is not plain UTF-8 text`, none},
		{"no UTF-8", zip(rename(tarOf(true, good), "a\xff")), `its name is not plain UTF-8 text`, none},
		{"long name", krtOf(file{name: long}), `a name in its path is longer than 255 bytes`, none},
		{"long path", krtOf(file{name: strings.Repeat("nnnnnnnnn/", 110) + "x"}), `its path is longer than 1024 bytes`, none},
		{"deep path", krtOf(file{name: strings.Repeat("d/", 33) + "x"}), `it is nested deeper than 32 folders`, none},
		{"too many entries", krtOf(many...), `entry "d5/f": the bundle contains more than 11 files and folders`, archive.Limits{MaxEntries: 11}},
		{"too large", krtOf(file{name: "big", data: strings.Repeat("x", 5000)}), `entry "big": the bundle is larger than 4000 bytes unpacked`,
			archive.Limits{MaxBytes: 4000}},
		{"too large in all", krtOf(many...), `the bundle is larger than 4000 bytes unpacked`, archive.Limits{MaxBytes: 4000}},
		{"bomb", krtOf(good, file{name: "zeros", data: zeros}), `entry "zeros": it is compressed by more than 200:1`, none},
		{"bomb in the padding", zip(append(tarOf(true, good), zeros...)), `after the last entry "krt.yml": it is compressed by more than 200:1`,
			none},
		{"sparse file, GNU", zip(patch(tarOf(true, file{name: "s"}), 0, func(header []byte) {
			header[156] = tar.TypeGNUSparse
			copy(header[257:], "ustar  \x00")
			copy(header[483:], "00000010000\x00")
		})), `entry "s": it is a sparse file`, none},
		{"sparse file, PAX", zip(bytes.Replace(sparse, []byte("XXX.sparse"), []byte("GNU.sparse"), 4)), `entry "s": it is a sparse file`, none},
		{"header of many megabytes", zip(retype(tarOf(true, file{name: "x", data: strings.Repeat("y", 2<<20)}), tar.TypeXHeader)),
			`after entry "": archive/tar: header field too long`, none},
		{"empty", nil, `the archive is truncated`, none},
		{"no gzip", []byte("krtVersion: v1"), `it is not a .krt file: it does not begin with a gzip header`, none},
		{"tar without gzip", tarOf(true, good), `it is not a .krt file`, none},
		{"gzip without tar", zip([]byte(strings.Repeat("hello ", 200))), `after entry ""`, none},
		{"gzip of nothing", zip(nil), `the archive is truncated`, none},
		{"cut in the gzip header", whole[:5], `the archive is truncated`, none},
		{"cut in the data", whole[:len(whole)/2], `the archive is truncated`, none},
		{"cut in the checksum", whole[:len(whole)-3], `the archive is truncated`, none},
		{"cut before the end marker", zip(tarOf(false, good)), `after the last entry "krt.yml": the archive is truncated`, none},
		{"cut within an entry", zip(tarOf(true, good, file{name: "x", data: strings.Repeat("x", 5000)})[:2500]),
			`entry "x": the archive is truncated`, none},
		{"wrong checksum", append(bytes.Clone(whole[:len(whole)-8]), 1, 2, 3, 4, 5, 6, 7, 8), `invalid checksum`, none},
		{"data after the gzip stream", append(bytes.Clone(whole), 'x'), `there is unexpected data after the archive`, none},
		{"a second gzip stream", append(bytes.Clone(whole), whole...), `there is unexpected data after the archive`, none},
		{"data after the end marker", zip(append(tarOf(true, good), "hidden"+strings.Repeat("\x00", 2048)...)),
			`after the last entry "krt.yml": there is unexpected data in the archive`, none},
		{"an archive after the archive", zip(append(tarOf(true, good), tarOf(true, file{name: "evil"})...)),
			`there is unexpected data in the archive`, none},
	}
}

func TestUnpackRefusesHostileArchives(t *testing.T) {
	refused, all := 0, 0
	for _, test := range hostileArchives() {
		all++
		t.Run(test.name, func(t *testing.T) {
			outer := t.TempDir()
			empty := filepath.Join(outer, "empty")
			require.NoError(t, os.Mkdir(empty, 0o755))
			for _, dir := range []string{filepath.Join(outer, "made", "deep"), empty} {
				err := archive.Unpack(t.Context(), bytes.NewReader(test.packed), dir, archive.UnpackOptions{Limits: test.limits})
				require.ErrorContains(t, err, test.want)
				require.Equal(t, 1, strings.Count(err.Error(), "cannot unpack"))
			}
			require.Equal(t, []string{outer, empty}, everything(t, outer), "something stays behind")
			refused++
		})
	}
	t.Logf("hostile archives refused with nothing left behind: %d of %d", refused, all)
}

// everything returns the paths of all that lies in dir, dir included.
func everything(t *testing.T, dir string) (paths []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	}))
	return paths
}

func TestUnpackTakes(t *testing.T) {
	for name, packed := range map[string][]byte{
		"as tar c . writes it": krtOf(file{name: "./"}, file{name: "./krt.yml", data: "x"}, file{name: "./src/"}, file{name: "./src/a"}),
		"as git archive": krtOf(file{name: "pax_global_header", flag: tar.TypeXGlobalHeader, pax: map[string]string{"comment": "x"}},
			file{name: "krt.yml", data: "x"}, file{name: "src/a"}),
		"folder after file": krtOf(file{name: "src/a"}, file{name: "src/"}, file{name: "krt.yml", data: "x"}),
		"padded to records": zip(append(tarOf(true, file{name: "krt.yml", data: "x"}, file{name: "src/a"}), make([]byte, 10240)...)),
		"many zeros": krtOf(file{name: "krt.yml", data: "x"}, file{name: "src/a"}, file{name: "zeros", data: strings.Repeat("\x00",
			8<<20)}),
		"dots in names": krtOf(file{name: "krt.yml", data: "x"}, file{name: "src/a"}, file{name: "..a/b..c/...", data: ""}),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir() // exists and is empty
			require.NoError(t, archive.Unpack(t.Context(), bytes.NewReader(packed), dir, archive.UnpackOptions{}))
			text, err := os.ReadFile(filepath.Join(dir, "krt.yml"))
			require.NoError(t, err)
			require.Equal(t, "x", string(text))
			require.FileExists(t, filepath.Join(dir, "src/a"))
		})
	}
}

func TestUnpackNeedsAnEmptyFolder(t *testing.T) {
	dir := write(t, map[string]string{"mine": "x"})
	err := archive.Unpack(t.Context(), bytes.NewReader(krtOf(file{name: "krt.yml"})), dir, archive.UnpackOptions{})
	require.ErrorContains(t, err, "the folder is not empty")
	require.FileExists(t, filepath.Join(dir, "mine"))
	err = archive.Unpack(t.Context(), bytes.NewReader(krtOf(file{name: "krt.yml"})), filepath.Join(dir, "mine"), archive.UnpackOptions{})
	require.ErrorContains(t, err, "not a directory")
}

func TestUnpackCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	dir := filepath.Join(t.TempDir(), "d")
	packed := krtOf(file{name: "a", data: "x"}, file{name: "b", data: noise(1 << 16)})
	half := io.MultiReader(bytes.NewReader(packed[:len(packed)/2]), readerFunc(func([]byte) (int, error) { cancel(); return 0, nil }))
	require.ErrorIs(t, archive.Unpack(ctx, half, dir, archive.UnpackOptions{}), context.Canceled)
	require.NoDirExists(t, dir)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func noise(size int) string {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data)
	return string(data)
}

// TestUnpackMemoryIsFlat unpacks 64 MiB from a pipe and counts all that is allocated meanwhile.
func TestUnpackMemoryIsFlat(t *testing.T) {
	const size = 64 << 20
	r, w := io.Pipe()
	go func() {
		zip, _ := gzip.NewWriterLevel(w, gzip.NoCompression)
		to := tar.NewWriter(zip)
		_ = to.WriteHeader(&tar.Header{Name: "model", Typeflag: tar.TypeReg, Size: size, Mode: 0o644})
		_, _ = io.Copy(to, io.LimitReader(rand.NewChaCha8([32]byte{}), size))
		_ = to.Close()
		_ = w.CloseWithError(zip.Close())
	}()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	require.NoError(t, archive.Unpack(t.Context(), r, filepath.Join(t.TempDir(), "d"), archive.UnpackOptions{}))
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8<<20))
}

func FuzzUnpack(f *testing.F) {
	for _, seed := range hostileArchives() {
		if tarball, err := gzip.NewReader(bytes.NewReader(seed.packed)); err == nil && len(seed.packed) < 10_000 {
			text, _ := io.ReadAll(tarball)
			if len(text) < 50_000 {
				f.Add(text, true)
			}
		}
		if len(seed.packed) < 10_000 {
			f.Add(seed.packed, false)
		}
	}
	limits := archive.Limits{MaxEntries: 100, MaxBytes: 1 << 20}
	f.Fuzz(func(t *testing.T, data []byte, pack bool) {
		if pack {
			data = zip(data)
		}
		outer := t.TempDir()
		dir := filepath.Join(outer, "d")
		err := archive.Unpack(t.Context(), bytes.NewReader(data), dir, archive.UnpackOptions{Limits: limits})
		paths := everything(t, outer)
		if err != nil {
			require.Len(t, paths, 1, "something stays behind after %v", err)
			return
		}
		for _, path := range paths[1:] {
			info, err := os.Lstat(path)
			require.NoError(t, err)
			require.True(t, info.IsDir() || info.Mode().IsRegular())
			require.True(t, path == dir || strings.HasPrefix(path, dir+"/"))
		}
	})
}
