package dashboard_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"html"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/image/artifact"
	"krt.dev/kn-krt/test/apiserver"

	view "krt.dev/kn-krt/pkg/dashboard/cluster"
)

// pushFiles pushes an artifact with one file to a registry and returns its reference.
func pushFiles(t *testing.T, hub, path, text string, options ...remote.Option) string {
	t.Helper()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	w := tar.NewWriter(zip)
	require.NoError(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: path, Size: int64(len(text)), Mode: 0o644}))
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, zip.Close())
	made, err := artifact.New(static.NewLayer(packed.Bytes(), artifact.LayerType))
	require.NoError(t, err)

	digest, err := made.Digest()
	require.NoError(t, err)
	ref, err := name.NewDigest(hub + "/team/krt-nodes@" + digest.String())
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, made, options...))
	return ref.Name()
}

// newHub is a registry; with a password it serves nobody but the user "reader" with it.
func newHub(t *testing.T, password string) (host string) {
	t.Helper()
	serve := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, given, _ := r.BasicAuth()
		if password != "" && (user != "reader" || given != password) {
			w.Header().Set("WWW-Authenticate", `Basic realm="hub"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		serve.ServeHTTP(w, r)
	}))
	t.Cleanup(hub.Close)
	return strings.TrimPrefix(hub.URL, "http://")
}

// refer makes a version refer to an artifact. Its only workflow is called with {"room": …}.
func refer(t *testing.T, ref source.Ref, artifact string) {
	t.Helper()
	v := &v1alpha1.Version{}
	require.NoError(t, admin.Get(t.Context(), client.ObjectKey(ref), v))
	v.Spec.State = v1alpha1.StateStopped
	require.NoError(t, admin.Update(t.Context(), v))
	v.Spec.Artifact = artifact
	v.Spec.Entrypoint.Files[0].Content = strings.Replace(v.Spec.Entrypoint.Files[0].Content, "{}", "{ string room = 1; }", 1)
	require.NoError(t, admin.Update(t.Context(), v))
}

func TestFilesAndContract(t *testing.T) {
	namespace := newNamespace(t)
	ref := create(t, namespace, "house-v1")
	c := newClient(t, server.Config(), namespace)
	s := view.New(c, view.Options{Namespaces: []string{namespace}, Artifacts: &artifact.Cache{}})
	t.Cleanup(s.Close)

	var refused *source.RefusedError
	_, err := s.Files(t.Context(), ref)
	require.ErrorAs(t, err, &refused)
	require.Equal(t, source.Unavailable, refused.Refusal)
	var unknown *source.NotFoundError
	_, err = s.Files(t.Context(), source.Ref{Namespace: namespace, Name: "none"})
	require.ErrorAs(t, err, &unknown)

	refer(t, ref, pushFiles(t, newHub(t, ""), "docs/README.md", "# A house"))
	ctx := bounded(t)
	changed := make(chan struct{}, 1)
	go func() {
		_ = s.Watch(ctx, ref, func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		})
	}()
	for {
		files, err := s.Files(ctx, ref)
		if err == nil {
			text, err := fs.ReadFile(files, "docs/README.md")
			require.NoError(t, err)
			require.Equal(t, "# A house", string(text))
			break
		}
		require.ErrorAs(t, err, &refused)
		select {
		case <-changed:
		case <-ctx.Done():
			require.NoError(t, ctx.Err())
		}
	}

	protos, err := s.Contract(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, "p.proto", protos.Entry)
	require.Contains(t, string(protos.Protos["p.proto"]), "service Entrypoint { rpc Price (M) returns (M); }")
}

// The commands that are shown call a workflow with what its author has written for that.
func TestCommandsHaveTheExampleOfTheBundle(t *testing.T) {
	namespace := newNamespace(t)
	ref := create(t, namespace, "house-v1")
	refer(t, ref, pushFiles(t, newHub(t, ""), "assets/examples/price.json", "{\n  \"room\": \"Queens\"\n}"))
	s := pagesOf(t, newClient(t, server.Config(), namespace), view.Options{Artifacts: &artifact.Cache{}})
	const want = `kn-krt invoke house-v1 price -n %s -d '{"room":"Queens"}'`
	for _, page := range []string{"?workflow=price&show=entrypoint", "docs"} {
		var text string
		require.True(t, apiserver.Soon(bounded(t), func() bool { // it is known that the version refers to it
			_, text = s.do(http.MethodGet, strings.Replace(at(ref, page), "/?", "?", 1), nil)
			text = html.UnescapeString(text)
			return strings.Contains(text, fmt.Sprintf(want, namespace))
		}), "%s: %s", page, text)
	}
}
