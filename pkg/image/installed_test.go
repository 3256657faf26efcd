package image

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/image/cache"
	"krt.dev/kn-krt/pkg/image/pip"
	"krt.dev/kn-krt/pkg/requirement"
)

// requiring returns the wheel with one more requirement than is allowed.
func requiring(t *testing.T, made []byte, line string) []byte {
	t.Helper()
	from, err := zip.NewReader(bytes.NewReader(made), int64(len(made)))
	require.NoError(t, err)
	var file bytes.Buffer
	to := zip.NewWriter(&file)
	for _, f := range from.File {
		content, err := f.Open()
		require.NoError(t, err)
		text, err := io.ReadAll(content)
		require.NoError(t, err)
		if filepath.Base(f.Name) == "METADATA" {
			text = append(text, line+"\n"...)
		}
		w, err := to.Create(f.Name)
		require.NoError(t, err)
		_, err = w.Write(text)
		require.NoError(t, err)
	}
	require.NoError(t, to.Close())
	return file.Bytes()
}

// What reads wheels may miss a requirement that pip sees: what was installed tells where it came from.
func TestNothingIsInstalledFromElsewhere(t *testing.T) {
	needPip(t)
	index(t, nil)
	elsewhere := t.TempDir()
	write(t, elsewhere, map[string]string{"evil-1.0-py3-none-any.whl": string(wheel(t, "evil", "1.0", "py3-none-any", "X = 1\n"))})
	led := requiring(t, wheel(t, "led", "1.0", "py3-none-any", "X = 1\n"),
		"Requires-Dist: evil @ file://"+elsewhere+"/evil-1.0-py3-none-any.whl")
	files := twoNodes()
	files["led-1.0-py3-none-any.whl"] = string(led)
	files["fine-1.0-py3-none-any.whl"] = string(requiring(t, wheel(t, "fine", "1.0", "py3-none-any", "X = 1\n"), "Provides-Extra: fast"))
	b, _ := newTestBuilder(t, newHub(t), nil)
	s, err := b.session(t.Context(), bundle(t, files))
	require.NoError(t, err)
	defer s.close()
	install := func(item requirement.Item) error {
		list := &requirement.List{Items: []requirement.Item{item}}
		return s.installer().Install(t.Context(), pip.Set{List: list, Version: "3.11", Platform: v1.Platform{OS: "linux", Architecture: "amd64"}},
			t.TempDir())
	}
	require.NoError(t, install(requirement.Item{Wheel: "fine-1.0-py3-none-any.whl", Extras: []string{"fast"}}))
	err = install(requirement.Item{Wheel: "led-1.0-py3-none-any.whl"})
	require.ErrorContains(t, err, "pip: a package requires 'evil@ file://"+elsewhere+"/evil-1.0-py3-none-any.whl', from a URL of its own")
}

// What a requirement comes to changes with time, and what was installed goes from the cache before what is known of
// its layer.
func TestALayerIsOfWhatWasInstalled(t *testing.T) {
	needPip(t)
	h := newHub(t)
	files := twoNodes()
	files["src/etl/requirements.txt"] = "tiny\n"
	bundle := bundle(t, files)
	b, _ := newTestBuilder(t, h, nil)
	for _, version := range []string{"1.0", "2.0"} {
		index(t, map[string][]byte{"tiny-" + version + "-py3-none-any.whl": wheel(t, "tiny", version, "py3-none-any", "X = '"+version+"'\n")})
		ref, err := b.Build(t.Context(), bundle, node(t, bundle, "etl"))
		require.NoError(t, err)
		require.Equal(t, "644 X = '"+version+"'\n", contentOf(t, pull(t, ref))["krt-python/tiny.py"])
		require.NoError(t, os.RemoveAll(b.cache.Path(cache.Packages, "")))
		require.NoError(t, os.Mkdir(b.cache.Path(cache.Packages, ""), 0o700))
	}
}
