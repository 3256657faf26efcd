package image

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/image/artifact"
)

func TestFilesForPeople(t *testing.T) {
	h := newHub(t)
	b, _ := newTestBuilder(t, h, nil)
	files := twoNodes()
	none, err := b.Files(t.Context(), bundle(t, files))
	require.NoError(t, err)
	require.Empty(t, none)
	require.Empty(t, h.asked(""))

	files["docs/README.md"], files["docs/img/a.svg"], files["metrics/dashboards/a.json"] = "# Hello", "<svg/>", "{}"
	files["assets/examples/price.json"], files["assets/examples/README"] = `{"rooms": 2}`, "Requests"
	ref, err := b.Files(t.Context(), bundle(t, files))
	require.NoError(t, err)
	require.Regexp(t, `^`+h.host+`/team/krt-nodes@sha256:[0-9a-f]{64}$`, ref)
	require.NotEmpty(t, h.asked(http.MethodPut, "/manifests/prices-v1-files-"))
	read, err := artifact.Pull(t.Context(), ref, artifact.Options{})
	require.NoError(t, err)
	require.Equal(t, map[string][]byte{
		"docs/README.md": []byte("# Hello"), "docs/img/a.svg": []byte("<svg/>"), "metrics/dashboards/a.json": []byte("{}"),
		"assets/examples/price.json": []byte(`{"rooms": 2}`),
	}, read)

	again, _ := newTestBuilder(t, h, nil)
	second, err := again.Files(t.Context(), bundle(t, files))
	require.NoError(t, err)
	require.Equal(t, ref, second, "the same files have the same digest")
}

func TestFilesForPeopleThatAreTooLarge(t *testing.T) {
	h := newHub(t)
	b, _ := newTestBuilder(t, h, nil)
	files := twoNodes()
	files["docs/film"] = strings.Repeat("0", artifact.MaxBytes+1)
	_, err := b.Files(t.Context(), bundle(t, files))
	var limit *artifact.LimitError
	require.ErrorAs(t, err, &limit)
	require.EqualError(t, err, "docs/, metrics/ and assets/examples/ have more than 16 MiB")
	require.Empty(t, h.asked(""))
}
