package scripts

import (
	"bytes"
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/test/apiserver"
)

// A bundle that is uploaded becomes a version, with its images in the registry.
func TestDashboardCreates(t *testing.T) {
	s := newStage(t)
	const name = "upload"
	require.NoError(t, s.client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
	out, errs := &output{}, &output{}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Main(ctx, []string{"kn-krt", "dashboard", "--kubeconfig", s.config, "-n", name,
			"--registry", s.registry + "/team", "--base", "python=" + s.registry + "/python:base"}, term.Streams{Out: out, Err: errs})
	}()
	var link string
	require.True(t, apiserver.Soon(t.Context(), func() bool {
		link = regexp.MustCompile(`http://\S+`).FindString(out.String())
		return link != ""
	}))
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar}
	page, status := get(t, browser, link)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, "Create a version")
	site, _, _ := strings.Cut(link, "/?")

	at, status := upload(t, browser, site, form{name, "hotel.krt", "not an archive"})
	require.Equal(t, http.StatusOK, status)
	require.True(t, apiserver.Soon(t.Context(), func() bool {
		page, _ = get(t, browser, at)
		return strings.Contains(page, "Nothing was created.")
	}))
	for _, wrong := range []form{{"", "hotel.krt", "x"}, {name, "hotel.zip", "x"}} {
		_, status = upload(t, browser, site, wrong)
		require.Equal(t, http.StatusConflict, status)
	}

	at, status = upload(t, browser, site, form{name, "hotel.krt", packed(t)})
	require.Equal(t, http.StatusOK, status)
	require.True(t, apiserver.Soon(t.Context(), func() bool {
		page, _ = get(t, browser, at)
		return strings.Contains(page, "hotel-v1 was created in upload") || strings.Contains(page, "Nothing was created")
	}))
	require.Contains(t, page, "hotel-v1 was created in upload")
	require.Contains(t, page, "node etl: image built in")
	v := &v1alpha1.Version{}
	require.NoError(t, s.client.Get(t.Context(), client.ObjectKey{Namespace: name, Name: "hotel-v1"}, v))
	require.Contains(t, v.Spec.Nodes[0].Image, s.registry+"/team/")
	require.Equal(t, v1alpha1.StateStopped, v.WantedState())
	stop()
	require.Equal(t, term.ExitOK, <-ended)
	require.Empty(t, errs.String())
}

// packed is a bundle with one Python node.
func packed(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for file, text := range map[string]string{
		"krt.yml": `version: hotel-v1
description: What a room costs.
entrypoint: {proto: public_input.proto}
nodes:
  - {name: etl, image: konstellation/kre-py:1.23.1, src: src/etl/main.py}
workflows:
  - {name: price, entrypoint: Quote, sequential: [etl]}
`,
		"public_input.proto": `syntax = "proto3";
message Request { string room = 1; }
message Response { double price = 1; }
service Entrypoint { rpc Quote(Request) returns (Response); }
`,
		"docs/README.md":  "# Hotel\n",
		"src/etl/main.py": "def handler(ctx, data):\n    return None\n",
	} {
		path := filepath.Join(folder, filepath.FromSlash(file))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	path := filepath.Join(t.TempDir(), "hotel.krt")
	require.Equal(t, term.ExitOK, cli.Main(t.Context(), []string{"kn-krt", "krt", "create", folder, path},
		term.Streams{Out: io.Discard, Err: io.Discard}))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// get returns a page and its status.
func get(t *testing.T, browser *http.Client, url string) (page string, status int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	response, err := browser.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(text), response.StatusCode
}

// form is what the page for a bundle sends.
type form struct{ namespace, file, bundle string }

// upload sends the form, and returns where it leads to.
func upload(t *testing.T, browser *http.Client, site string, f form) (at string, status int) {
	t.Helper()
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	require.NoError(t, parts.WriteField("namespace", f.namespace))
	part, err := parts.CreateFormFile("bundle", f.file)
	require.NoError(t, err)
	_, err = io.WriteString(part, f.bundle)
	require.NoError(t, err)
	require.NoError(t, parts.Close())
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, site+"/create", &body)
	require.NoError(t, err)
	r.Header.Set("Content-Type", parts.FormDataContentType())
	response, err := browser.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	return response.Request.URL.String(), response.StatusCode
}
