package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Knative's YAML is taken from the modules that its programs are built from.
// Their config/ is full of symbolic links, which modules lose: these are the
// real folders.

// knativeModule is the folder with the module of a release of Knative: "" is the one that everything
// is tested with.
func knativeModule(source, release string) (string, error) {
	if release == "" {
		return "knative", nil
	}
	modules, err := filepath.Glob(filepath.Join(source, "knative-*", "go.mod"))
	if err != nil {
		return "", err
	}
	var known []string
	for _, module := range modules {
		name := filepath.Base(filepath.Dir(module))
		known = append(known, strings.TrimPrefix(name, "knative-"))
		if name == "knative-"+release {
			return name, nil
		}
	}
	return "", fmt.Errorf("no Knative %q to build: set KRT_KNATIVE to one of %s, or do not set it", release, strings.Join(known, ", "))
}

// knativeCRDs is what must be there before anything that is made of it.
func knativeCRDs() []string {
	return []string{
		"serving/config/core/300-resources", "serving/config/core/300-knativecertificate.yaml",
		"networking/config", "caching/config/image.yaml",
		"eventing/config/core/resources", "eventing/config/channels/in-memory-channel/resources",
	}
}

// gatewayAPI is the module with the kinds of the Gateway API.
const gatewayAPI = "gateway-api"

// gatewayCRDs are those that the test gateway serves.
func gatewayCRDs() (files []string) {
	for _, kind := range []string{"gatewayclasses", "gateways", "grpcroutes", "httproutes", "referencegrants"} {
		files = append(files, gatewayAPI+"/config/crd/standard/gateway.networking.k8s.io_"+kind+".yaml")
	}
	return files
}

func knativeAccounts() []string {
	return []string{
		"serving/config/core/100-namespace.yaml", "serving/config/core/200-serviceaccount.yaml", "serving/config/core/200-roles",
		"eventing/config/core/100-namespace.yaml", "eventing/config/core/200-eventing-serviceaccount.yaml",
		"eventing/config/core/200-job-sink-serviceaccount.yaml", "eventing/config/core/200-pingsource-mt-adapter-serviceaccount.yaml",
		"eventing/config/core/200-request-reply-serviceaccount.yaml", "eventing/config/core/200-webhook-serviceaccount.yaml",
		"eventing/config/core/roles",
	}
}

func knativePrograms() []string {
	return []string{
		"serving/config/core/configmaps", "serving/config/core/deployments", "serving/config/core/webhooks",
		"serving/config/core/999-cache.yaml",
		"eventing/config/core/configmaps", "eventing/config/core/webhooks",
		"eventing/config/core/deployments/controller.yaml", "eventing/config/core/deployments/webhook.yaml",
		"eventing/config/core/deployments/pingsource-mt-adapter.yaml",
		"eventing/config/channels/in-memory-channel",
		"eventing/config/brokers/mt-channel-broker/roles",
		"eventing/config/brokers/mt-channel-broker/deployments/broker-filter.yaml",
		"eventing/config/brokers/mt-channel-broker/deployments/broker-ingress.yaml",
		"eventing/config/brokers/mt-channel-broker/deployments/controller.yaml",
	}
}

// moduleFiles turns MODULE/PATH into the path in the module cache.
func moduleFiles(ctx context.Context, p place, names []string) ([]string, error) {
	var files []string
	dirs := map[string]string{}
	for _, name := range names {
		module, path, _ := strings.Cut(name, "/")
		if dirs[module] == "" {
			dir, err := moduleDir(ctx, p, module)
			if err != nil {
				return nil, err
			}
			dirs[module] = dir
		}
		files = append(files, filepath.Join(dirs[module], path))
	}
	return files, nil
}

// moduleDir is where a module of Knative's, or the Gateway API's, is in the module cache. It is found by
// its packages: of a module by itself, go also wants the time of its version, which a proxy may not have.
func moduleDir(ctx context.Context, p place, module string) (string, error) {
	path, of := "knative.dev/"+module, p.Knative
	if module == gatewayAPI {
		path, of = "sigs.k8s.io/"+module, "gateway"
	}
	list := exec.CommandContext(ctx, "go", "list", "-find", "-f", "{{.Module.Dir}}", path+"/...")
	list.Dir = filepath.Join(p.Source, of)
	dirs, err := command(ctx, list)
	dir, _, _ := strings.Cut(dirs, "\n")
	if err == nil && dir == "" {
		err = fmt.Errorf("module %s is not in %s/go.mod", path, of)
	}
	return dir, err
}

// knativeSet names the cached build of Knative: modules and recipe decide it.
func knativeSet(ctx context.Context, p place) (*imageSet, error) {
	hash := sha256.New()
	base, err := baseSet(ctx, p)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(hash, knativePrograms(), base.file)
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(p.Source, p.Knative, name))
		if err != nil {
			return nil, err
		}
		hash.Write(content)
	}
	return &imageSet{file: filepath.Join(p.Cache, "images", fmt.Sprintf("knative-%x.json", hash.Sum(nil)[:6]))}, nil
}

// warmKnative does what needs the network or time: modules, Go's build cache
// and Debian's packages for the Python base.
func warmKnative(ctx context.Context, p place) error {
	if err := os.RemoveAll(pythonDir(p)); err != nil {
		return err
	}
	if err := downloadPython(ctx, pythonDir(p)); err != nil {
		return err
	}
	// With -export, list compiles; build would link as well, and ko does that.
	compile := exec.CommandContext(ctx, "go", "list", "-export", "-trimpath", "-buildvcs=false", "-f", "{{/* nothing */}}", "tool")
	compile.Dir = filepath.Join(p.Source, p.Knative)
	compile.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	_, err := command(ctx, compile)
	return err
}

var imageReference = regexp.MustCompile(regexp.QuoteMeta(registry) + `/[^@\s"']+@sha256:[0-9a-f]{64}`)

// resolveKnative builds and pushes Knative's images, and returns its YAML with
// their digests.
func resolveKnative(ctx context.Context, p place) (string, []string, error) {
	files, err := moduleFiles(ctx, p, knativePrograms())
	if err != nil {
		return "", nil, err
	}
	// One platform, no bill of materials: half the time. Full import paths in the
	// names, for serving and eventing have programs of the same name.
	args := []string{"resolve", "--sbom=none", "--preserve-import-paths", "--recursive"}
	for _, file := range files {
		args = append(args, "-f", file)
	}
	ko := exec.CommandContext(ctx, "ko", args...)
	ko.Dir = filepath.Join(p.Source, p.Knative)
	ko.Env = append(os.Environ(), "GOFLAGS=-mod=readonly -buildvcs=false", "GOWORK=off", "KO_DOCKER_REPO="+registry+"/knative",
		"KO_CONFIG_PATH=")
	yaml, err := command(ctx, ko)
	if err != nil {
		return "", nil, err
	}
	references := imageReference.FindAllString(yaml, -1)
	slices.Sort(references)
	return yaml, slices.Compact(references), nil
}

// printCRDs writes all of Knative's CRDs to one file and prints its path.
func printCRDs(ctx context.Context, p place, out io.Writer) error {
	files, err := moduleFiles(ctx, p, knativeCRDs())
	if err != nil {
		return err
	}
	text, err := joinYAML(files)
	if err != nil {
		return err
	}
	path := filepath.Join(p.Cache, "crds-"+p.Knative+".yaml")
	if err := writeWhole(path, []byte(text)); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, path)
	return err
}

// joinYAML reads YAML files, and those of folders, into one stream.
func joinYAML(paths []string) (string, error) {
	var all strings.Builder
	for _, path := range paths {
		err := filepath.WalkDir(path, func(file string, _ os.DirEntry, err error) error {
			if err != nil || filepath.Ext(file) != ".yaml" {
				return err
			}
			content, err := os.ReadFile(file) //nolint:gosec // Go's module cache has no links
			all.Write(content)
			all.WriteString("\n---\n")
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return all.String(), nil
}
