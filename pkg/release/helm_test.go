package release

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// kubernetes is the version that objects are rendered for.
const kubernetes = "1.35.4"

// program is a program that make test-api names; without it the test is left out.
func program(t *testing.T, variable string) func(args ...string) (string, error) {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Skipf("%s names no program: make test-api", variable)
	}
	home := t.TempDir()
	return func(args ...string) (string, error) {
		t.Helper()
		var out, errs bytes.Buffer
		c := exec.CommandContext(t.Context(), path, args...)
		c.Env = append(os.Environ(), "HOME="+home, "HELM_NAMESPACE=krt-system")
		c.Stdout, c.Stderr = &out, &errs
		err := c.Run()
		return out.String() + errs.String(), err
	}
}

// unpacked writes files below a new folder.
func unpacked(t *testing.T, files []file) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, f.content, 0o644))
	}
	return dir
}

// wanted are the objects of parts, as the chart has them.
func wanted(t *testing.T, r *release, names ...string) map[string]any {
	t.Helper()
	all := map[string]any{}
	for _, p := range parts() {
		if !slices.Contains(names, p.name) {
			continue
		}
		text, err := r.part(p)
		require.NoError(t, err)
		for key, o := range objects(t, text) {
			if o.GetKind() == "CustomResourceDefinition" {
				annotations := o.GetAnnotations()
				annotations["helm.sh/resource-policy"] = "keep"
				o.SetAnnotations(annotations)
			}
			all[key] = o.Object
		}
	}
	return all
}

// What the chart renders is what the YAML of the release has.
func TestChartIsTheConfig(t *testing.T) {
	helm, r := program(t, "KRT_HELM"), rendered(t)
	files, err := r.chartFiles()
	require.NoError(t, err)
	chart := filepath.Join(unpacked(t, files), "kn-krt")
	out, err := helm("lint", "--strict", chart)
	require.NoError(t, err, out)
	render := func(args ...string) map[string]any {
		t.Helper()
		out, err := helm(append([]string{"template", "kn-krt", chart, "--kube-version", kubernetes}, args...)...)
		require.NoError(t, err, out)
		all := map[string]any{}
		for key, o := range objects(t, out) {
			all[key] = o.Object
		}
		return all
	}
	const namespace = "Namespace /krt-system"
	want := wanted(t, r, "kn-krt", "kn-krt-store")
	delete(want, namespace)
	require.Equal(t, want, render())

	want = wanted(t, r, "kn-krt", "kn-krt-store", "kn-krt-queue", "kn-krt-dashboard", "kn-krt-monitoring")
	delete(want, namespace)
	all := "queue.enabled=true,dashboard.enabled=true,serviceMonitor.enabled=true,prometheusRule.enabled=true"
	require.Equal(t, want, render("--set", all))

	want = wanted(t, r, "kn-krt")
	maps.DeleteFunc(want, func(key string, _ any) bool {
		return key == namespace || key == "CustomResourceDefinition /versions.krt.dev" || key == "CustomResourceDefinition /runtimes.krt.dev"
	})
	require.Equal(t, want, render("--set", "store.enabled=false,crds.install=false"))
}

func TestChartValues(t *testing.T) {
	helm, r := program(t, "KRT_HELM"), rendered(t)
	files, err := r.chartFiles()
	require.NoError(t, err)
	chart := filepath.Join(unpacked(t, files), "kn-krt")
	values := filepath.Join(t.TempDir(), "values.yaml")
	content, err := yaml.Marshal(map[string]any{
		"image":      map[string]any{"registry": "mirror.example.com/krt", "pullSecrets": []string{"login"}},
		"controller": map[string]any{"replicas": 2},
		"settings":   map[string]any{"timeout": "60s", "base-images": "go: example.com/static\npython: example.com/python\n"},
		"store":      map[string]any{"sizeGiB": 20, "storageClassName": "fast"},
		"dashboard": map[string]any{"enabled": true, "readOnly": false, "hosts": []string{"krt.example.com"},
			"registries": []string{"registry.example.com/team"}},
		"serviceMonitor": map[string]any{"enabled": true, "labels": map[string]any{"release": "prometheus"}},
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(values, content, 0o644))
	out, err := helm("template", "kn-krt", chart, "--kube-version", kubernetes, "--values", values)
	require.NoError(t, err, out)
	all := objects(t, out)
	require.Contains(t, all, "PodMonitor krt-system/krt-entrypoints")
	for _, text := range []string{
		"image: mirror.example.com/krt/controller@sha256:", "imagePullSecrets:\n      - name: \"login\"", "replicas: 2\n",
		"storage: 20Gi", "-file-bytes=19327352832\n", "storageClassName: \"fast\"", "        - -changes\n",
		"-hosts=krt-dashboard.krt-system.svc,krt.example.com\n", "-registries=registry.example.com/team\n", "release: prometheus",
	} {
		require.Contains(t, out, text)
	}
	settings := all["ConfigMap krt-system/config-krt"]
	require.Equal(t, "60s", settings.Object["data"].(map[string]any)["timeout"])
	require.Equal(t, "go: example.com/static\npython: example.com/python\n", settings.Object["data"].(map[string]any)["base-images"])
}

// A value that has no effect is refused, not ignored.
func TestChartRefuses(t *testing.T) {
	helm, r := program(t, "KRT_HELM"), rendered(t)
	files, err := r.chartFiles()
	require.NoError(t, err)
	chart := filepath.Join(unpacked(t, files), "kn-krt")
	for _, of := range []struct{ set, want string }{
		{"dashbord.enabled=true", "dashbord"},
		{"settings.tiemout=60s", "tiemout"},
		{"settings.scale-min=1", "scale-min"},
		{"image.digests.store=latest", "pattern"},
	} {
		out, err := helm("template", "kn-krt", chart, "--kube-version", kubernetes, "--set", of.set)
		require.Error(t, err)
		require.Contains(t, out, of.want)
	}
	out, err := helm("template", "kn-krt", chart, "--kube-version", kubernetes, "--namespace", "other")
	require.Error(t, err)
	require.Contains(t, out, "kn-krt is installed into the namespace krt-system, not \"other\"")
}

func TestKustomization(t *testing.T) {
	kube, r := program(t, "KRT_KUBE"), rendered(t)
	files, err := r.kustomizeFiles()
	require.NoError(t, err)
	dir := filepath.Join(unpacked(t, files), "kn-krt")
	out, err := kube("kubectl", "kustomize", dir)
	require.NoError(t, err, out)
	var names []string
	for _, p := range []string{"kn-krt", "kn-krt-store"} {
		for _, q := range parts() {
			if q.name == p {
				text, err := r.part(q)
				require.NoError(t, err)
				names = append(names, slices.Collect(keys(objects(t, text)))...)
			}
		}
	}
	require.ElementsMatch(t, names, slices.Collect(keys(objects(t, out))))
}
