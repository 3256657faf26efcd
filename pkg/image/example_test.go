package image_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"krt.dev/kn-krt/pkg/image"
	"krt.dev/kn-krt/pkg/krt"
)

// pushBase pushes an image that has the runner for Python nodes, as ko makes one of cmd/runner.
func pushBase(to string) error {
	base, err := mutate.Config(empty.Image, v1.Config{Entrypoint: []string{"/ko-app/runner"}})
	if err != nil {
		return err
	}
	ref, err := name.ParseReference(to)
	if err != nil {
		return err
	}
	return remote.Write(ref, base)
}

// The image of a node is its base with the files of the bundle as layers above. It is pushed to the
// repository krt-nodes of the registry, and referred to by digest.
func ExampleBuilder_Build() {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	cache, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(cache)
	if err := pushBase(host + "/python-runner:latest"); err != nil {
		fmt.Println(err)
		return
	}

	ctx := context.Background()
	bundle, problems, err := krt.Load(ctx, "../../functions/greeter", krt.Options{})
	if err != nil || problems.HasErrors() {
		fmt.Println(err, problems)
		return
	}
	builder, err := image.New(image.Options{
		Repo:       host + "/team",
		PythonBase: host + "/python-runner:latest",
		Cache:      cache,
		Progress:   func(e image.Event) { fmt.Println(e.Node, e.Type) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	node, _ := bundle.Manifest.Node("py-greeter")
	ref, err := builder.Build(ctx, bundle, node)
	repository, digest, _ := strings.Cut(strings.TrimPrefix(ref, host), "@")
	fmt.Println(repository, digest[:len("sha256:")], err)
	// Output:
	// py-greeter pushing
	// py-greeter done
	// /team/krt-nodes sha256: <nil>
}
