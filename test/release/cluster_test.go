package release_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/localrun"
	"krt.dev/kn-krt/test/namespace"
)

// place is a namespace on a cluster whose kn-krt the test installs and removes.
type place struct {
	*namespace.Namespace
	t *testing.T
}

// newPlace removes what an earlier test has left of kn-krt.
func newPlace(t *testing.T) place {
	t.Helper()
	if os.Getenv("KRT_E2E_LONG") == "" {
		t.Skip("installs and removes kn-krt: make release-long")
	}
	n := place{namespace.New(t), t}
	n.clear()
	t.Cleanup(n.clear)
	return n
}

// clear removes kn-krt with its versions, by the command that users have, and its namespace.
func (n place) clear() {
	n.t.Helper()
	run(n.t, "../..", nil, "go", "run", "./cmd/kn-krt", "uninstall", "--yes")
}

// run runs a program and returns what it prints. It works when the test's context has ended.
func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	c := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
	c.Dir, c.Env, c.Stdout, c.Stderr = dir, append(os.Environ(), env...), &out, &errs
	require.NoError(t, c.Run(), "%s %v\n%s%s", name, args, &out, &errs)
	return out.String() + errs.String()
}

// source is a commit of this repository in a folder of its own, with the tag of a release.
func source(t *testing.T, commit, tag string) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), tag)
	run(t, "../..", nil, "git", "clone", "-q", "--no-tags", ".", root)
	run(t, root, nil, "git", "checkout", "-q", commit)
	run(t, root, nil, "git", "tag", tag)
	return root
}

// ko is what ko prints in a source.
func ko(t *testing.T, root string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), "ko", args...)
	c.Dir, c.Env = root, append(os.Environ(), "KO_CONFIG_PATH=ko.yaml", "GOFLAGS=")
	out, err := c.Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// install applies YAML and waits until the controller of it runs.
func (n place) install(yaml string) {
	n.t.Helper()
	n.Run(yaml, "kubectl", "apply", "-f", "-")
	n.Kubectl("rollout", "status", "deployment/krt-controller", "-n", "krt-system", "--timeout", namespace.Patience.String())
}

// version starts a version of one node.
func (n place) version(name, image string) {
	n.t.Helper()
	text, err := yaml.Marshal(namespace.Version(n.t, name, image))
	require.NoError(n.t, err)
	n.Apply(string(text))
	n.Ready("version/" + name)
}

// publish publishes a version and waits for it.
func (n place) publish(version string) {
	n.t.Helper()
	n.Apply(fmt.Sprintf(`{apiVersion: krt.dev/v1alpha1, kind: Runtime, metadata: {name: default}, spec: {publishedVersion: %q}}`, version))
	n.Eventually(func() error {
		if got := n.Get("runtime.krt.dev/default", "{.status.publishedVersion}"); got != version {
			return fmt.Errorf("published is %q, not %q", got, version)
		}
		return nil
	})
}

// load calls the published version by four clients until it is ended.
type load struct {
	stop   context.CancelFunc
	all    sync.WaitGroup
	mu     sync.Mutex
	calls  int
	failed []string
}

func (n place) load() *load {
	n.t.Helper()
	ctx, stop := context.WithCancel(n.t.Context())
	l := &load{stop: stop}
	n.t.Cleanup(stop)
	grpc, web := n.Address("active-entrypoint", 9000), n.Address("active-entrypoint", 80)
	n.Eventually(func() error {
		_, err := localrun.At(n.t, grpc, web).Method(ctx, "conformance.Entrypoint/One")
		return err
	})
	for range 4 {
		l.all.Go(func() {
			for ctx.Err() == nil {
				l.some(ctx, localrun.At(n.t, grpc, web))
			}
		})
	}
	return l
}

// some calls are made by one connection; one that has begun is not broken off.
func (l *load) some(ctx context.Context, v *localrun.Version) {
	whole := context.WithoutCancel(ctx)
	method, err := v.Method(whole, "conformance.Entrypoint/One")
	for i := 0; i < 20 && ctx.Err() == nil; i++ {
		response := ""
		if err == nil {
			response, err = method.Call(whole, "{}")
		}
		l.mu.Lock()
		l.calls++
		if err != nil || !strings.Contains(response, "text") {
			l.failed = append(l.failed, fmt.Sprintf("%q %v", response, err))
		}
		l.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// more waits until there have been some calls more.
func (l *load) more(n place, some int) {
	n.t.Helper()
	made := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.calls
	}
	until := made() + some
	n.Eventually(func() error {
		if now := made(); now < until {
			return fmt.Errorf("%d calls of %d", now, until)
		}
		return nil
	})
}

// end ends the load; no call may have failed.
func (l *load) end(t *testing.T) {
	t.Helper()
	l.stop()
	l.all.Wait()
	t.Logf("%d calls, %d failed", l.calls, len(l.failed))
	require.Empty(t, l.failed)
}

// generations are those of all objects whose change would roll pods.
func (n place) generations() string {
	n.t.Helper()
	const each = `{range .items[*]}{.kind}/{.metadata.name} {.metadata.uid} {.metadata.generation}{"\n"}{end}`
	return n.In("get", "ksvc,sequence,deployment", "-o", "jsonpath="+each, "-l", "app.kubernetes.io/managed-by=kn-krt")
}

// behind waits until the controller that runs has seen that the version was started by another.
func (n place) behind(version, entrypoint string) {
	n.t.Helper()
	n.Eventually(func() error {
		reason := n.Get("version/"+version, "{.status.conditions[?(@.type=='Current')].reason}")
		if image := n.Get("version/"+version, "{.status.startedWith.entrypointImage}"); reason != v1alpha1.ReasonBehind && image != entrypoint {
			return fmt.Errorf("version %s is not behind but %q", version, reason)
		}
		return nil
	})
}
