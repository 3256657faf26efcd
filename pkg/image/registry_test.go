package image

import (
	"context"
	"debug/elf"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"
)

// locked makes the registry want a password.
func (h *hub) locked() {
	open := h.handler
	h.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "ana" || password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}`))
			return
		}
		open.ServeHTTP(w, r)
	})
}

func TestCredentialsOfDocker(t *testing.T) {
	h := newHub(t)
	h.locked()
	image, err := random.Image(500, 1)
	require.NoError(t, err)
	ref, err := name.ParseReference(h.host + "/python")
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, image, remote.WithAuth(&authn.Basic{Username: "ana", Password: "secret"})))
	bundle := bundle(t, twoNodes())
	build := func(config string) error {
		folder := t.TempDir()
		write(t, folder, map[string]string{"config.json": config})
		t.Setenv("DOCKER_CONFIG", folder)
		b, err := New(Options{Repo: h.host, PythonBase: ref.Name(), Cache: t.TempDir(), Runner: Program{Path: programFile(t, elf.EM_X86_64)}})
		require.NoError(t, err)
		_, err = b.Build(t.Context(), bundle, node(t, bundle, "etl"))
		return err
	}
	require.NoError(t, build(`{"auths": {"`+h.host+`": {"auth": "YW5hOnNlY3JldA=="}}}`))

	err = build(`{}`)
	require.EqualError(t, err, `cannot make the image of node "etl": cannot read base image "`+h.host+`/python:latest": `+
		`the registry responded with 401: UNAUTHORIZED: authentication required: log in with "docker login `+h.host+`" as a user with access, `+
		`or choose another registry`)
	var refused *RegistryError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, TroubleRefused, refused.Trouble)
	require.Equal(t, h.host, refused.Host())
}

func TestRegistryErrors(t *testing.T) {
	const nobody = "127.0.0.1:1"
	for name, c := range map[string]struct {
		change func(*testing.T, *hub, *Options)
		want   Trouble
		text   string
	}{
		"forbidden": {func(_ *testing.T, h *hub, o *Options) {
			o.Repo = h.host
			h.refuse = http.StatusForbidden
		}, TroubleRefused, "the registry responded with 403: DENIED: not for you: log in"},
		"no base": {func(_ *testing.T, h *hub, o *Options) { o.PythonBase = h.host + "/absent:1" }, TroubleMissing,
			"/absent:1\": the registry responded with 404: NAME_UNKNOWN: Unknown name: check the name and tag"},
		"nobody there": {func(_ *testing.T, _ *hub, o *Options) { o.Repo = nobody }, TroubleUnreachable,
			"cannot push to \"" + nobody + "/krt-nodes\": dial tcp " + nobody + ": connect: connection refused: check that the registry runs"},
		"broken": {func(_ *testing.T, h *hub, _ *Options) { h.refuse = http.StatusTeapot }, TroubleOther,
			"the registry responded with 418: DENIED: not for you"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHub(t)
			base := h.push(t, "python", nil)
			b, _ := newTestBuilder(t, h, func(o *Options) {
				o.GoBase, o.PythonBase = base, base
				c.change(t, h, o)
			})
			_, err := b.BuildAll(t.Context(), bundle(t, twoNodes()))
			var registry *RegistryError
			require.ErrorAs(t, err, &registry)
			require.Equal(t, c.want, registry.Trouble, err)
			require.ErrorContains(t, err, c.text)
		})
	}
}

func TestWrongOptions(t *testing.T) {
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"no registry": {Options{}, "cannot make images: no registry for images is set"},
		"no path":     {Options{Repo: "a b"}, `cannot make images: "a b" is not a registry path such as registry.example.com/team: `},
		"platform": {Options{Repo: "a", Platforms: []string{"windows/amd64"}},
			`cannot make images: "windows/amd64" is not a platform for nodes: use one such as linux/amd64`},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.Cache = t.TempDir()
			_, err := New(c.o)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestRunnerErrors(t *testing.T) {
	h := newHub(t)
	bundle := bundle(t, twoNodes())
	for name, c := range map[string]struct {
		path func(t *testing.T) string
		want string
	}{
		"none": {func(*testing.T) string { return "" }, `has none: choose a Python base that has it`},
		"another processor": {func(t *testing.T) string { return programFile(t, elf.EM_AARCH64) },
			`it is a program for linux/arm64, and the image is for linux/amd64`},
		"no program": {func(*testing.T) string { return "doc.go" }, `"doc.go": it is not a program for Linux`},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := newTestBuilder(t, h, func(o *Options) { o.Runner.Path = c.path(t) })
			_, err := b.Build(t.Context(), bundle, node(t, bundle, "etl"))
			require.ErrorIs(t, err, ErrNoRunner)
			require.ErrorContains(t, err, c.want)
			_, err = b.BuildAll(t.Context(), bundle)
			require.Equal(t, 1, strings.Count(err.Error(), "cannot make the image of node"), "said once: %s", err)
		})
	}
}

func TestCancelEndsAPush(t *testing.T) {
	h := newHub(t)
	b, _ := newTestBuilder(t, h, nil)
	ctx, cancel := context.WithCancel(t.Context())
	open := h.handler
	var pushes atomic.Int64
	h.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			pushes.Add(1)
			_, _ = io.Copy(io.Discard, r.Body) // only then does a server see the end of a connection
			cancel()
			<-r.Context().Done() // the registry hangs
			return
		}
		open.ServeHTTP(w, r)
	})
	_, err := b.BuildAll(ctx, bundle(t, twoNodes()))
	require.ErrorIs(t, err, context.Canceled)
	require.Positive(t, pushes.Load())
	left, err := os.ReadDir(filepath.Join(b.o.Cache, "work"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestLinksAreRefused(t *testing.T) {
	h := newHub(t)
	b, _ := newTestBuilder(t, h, nil)
	bundle := bundle(t, twoNodes())
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(bundle.Dir, "models/secret")))
	_, err := b.BuildAll(t.Context(), bundle)
	require.ErrorContains(t, err, `"models/secret": it is a symbolic link; a bundle can contain only files and folders`)
}
