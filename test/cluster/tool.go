package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// kubeVersion is k8s.io/kubernetes's in kube/go.mod. The apiserver must report it:
// Knative does not start on the version that an unstamped build has.
const kubeVersion = "v1.35.4"

// tool is one or more programs built from a Go module below this folder.
type tool struct {
	name     string   // also its folder
	module   string   // the module's folder, if not name
	program  string   // what "tool" prints the path of, if not name
	packages []string // what to build
	ldflags  string
	note     string // what a first build costs, on two cores
}

// clusterTools are what the cluster is made of.
func clusterTools() []tool {
	const stamp = " -X k8s.io/component-base/version."
	return []tool{
		{name: "kube", packages: []string{"."}, note: "5 to 10 minutes the first time",
			ldflags: stamp + "gitVersion=" + kubeVersion + stamp + "gitMajor=1" + stamp + "gitMinor=35" +
				stamp + "gitCommit=0000000" + stamp + "gitTreeState=clean"},
		{name: "coredns", packages: []string{"."}, note: "a minute the first time"},
		{name: "image", program: "ko", packages: []string{"tool"}, note: "a minute the first time"},
		{name: "ingress", module: "knative", packages: []string{"./ingress"}, note: "a minute the first time"},
		{name: "gateway", packages: []string{"."}, note: "a minute the first time"},
		{name: "pause", packages: []string{"."}},
		{name: "kn", packages: []string{"tool"}, note: "a minute the first time"},
	}
}

// otherTools are what tests run that ask for it: nothing of the cluster.
func otherTools() []tool {
	return []tool{
		{name: "helm", packages: []string{"tool"}, note: "3 minutes the first time"},
		{name: "jaeger", program: "all-in-one", packages: []string{"tool"}, note: "3 minutes the first time"},
		{name: "victoriametrics", program: "victoria-metrics", packages: []string{"tool"}},
	}
}

// fetchModules fetches what the tests have ko and kn-krt build inside, where
// there is no network: what the packages of the repository and of the nodes in
// functions/ need. To find all of it there takes a second.
func fetchModules(ctx context.Context, p place, s *steps) error {
	root := filepath.Join(p.Source, "..", "..")
	modules, err := filepath.Glob(filepath.Join(root, "functions", "*", "src", "*", "go.mod"))
	if err != nil {
		return err
	}
	return s.do("fetch Go modules", func() error {
		for _, file := range append(modules, filepath.Join(root, "go.mod")) {
			list := exec.CommandContext(ctx, "go", "list", "-deps", "./...")
			list.Dir, list.Env = filepath.Dir(file), append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
			if _, err := command(ctx, list); err != nil {
				return err
			}
		}
		return nil
	})
}

// dir is where the tool's programs are, under a key made of all that decides
// what they are: the module's files, the flags and the compiler.
func (t tool) dir(ctx context.Context, p place) (string, error) {
	key, err := contentKey(ctx, t.source(p), t.ldflags, strings.Join(t.packages, " "))
	if err != nil {
		return "", fmt.Errorf("cannot name tool %q: %w", t.name, err)
	}
	return filepath.Join(p.Cache, "tools", t.name+"-"+key), nil
}

func (t tool) source(p place) string {
	if t.module != "" {
		return filepath.Join(p.Source, t.module)
	}
	return filepath.Join(p.Source, t.name)
}

// build makes the tool's programs if they are not there, and returns their folder.
func (t tool) build(ctx context.Context, p place, s *steps) (string, error) {
	dir, err := t.dir(ctx, p)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	name := "build " + t.name
	if t.note != "" {
		name += " (" + t.note + ")"
	}
	return dir, s.do(name, func() error { return t.compile(ctx, p, dir) })
}

// compile builds into a folder next to dir and renames it, so that what is
// at dir is always complete.
func (t tool) compile(ctx context.Context, p place, dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), "."+t.name+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w" + t.ldflags, "-o", temp + "/"}
	build := exec.CommandContext(ctx, "go", append(args, t.packages...)...)
	build.Dir = t.source(p)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if _, err := command(ctx, build); err != nil {
		return err
	}
	if err := os.Chmod(temp, 0o755); err != nil {
		return err
	}
	if err := removeOlder(filepath.Dir(dir), t.name+"-"); err != nil {
		return err
	}
	return os.Rename(temp, dir)
}

// removeOlder deletes what an older key made, so that the cache does not grow forever.
func removeOlder(dir, prefix string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), prefix) {
			if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// contentKey is a hash over every file of a folder, tests aside, and the given texts.
func contentKey(ctx context.Context, dir string, more ...string) (string, error) {
	version, err := command(ctx, exec.CommandContext(ctx, "go", "env", "GOVERSION"))
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	fmt.Fprintln(hash, runtime.GOARCH, version, more)
	root := os.DirFS(dir)
	err = fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		content, err := fs.ReadFile(root, path)
		fmt.Fprintln(hash, path, len(content))
		hash.Write(content)
		return err
	})
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil))[:12], nil
}

func buildTools(ctx context.Context, p place, s *steps) error {
	for _, t := range clusterTools() {
		if _, err := t.build(ctx, p, s); err != nil {
			return err
		}
	}
	return nil
}

func printTool(ctx context.Context, p place, s *steps, args []string, out io.Writer) error {
	for _, t := range append(clusterTools(), otherTools()...) {
		if len(args) == 1 && args[0] == t.name {
			dir, err := t.build(ctx, p, s)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(out, filepath.Join(dir, cmp.Or(t.program, t.name)))
			return err
		}
	}
	return errUsage
}
