package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/local"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/gobuild"
	"krt.dev/kn-krt/pkg/image"
	"krt.dev/kn-krt/pkg/image/artifact"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/krt/spelling"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/render"
	"krt.dev/kn-krt/pkg/requirement"
)

// What to do about a registry, and about a base image.
const (
	howToNameRegistry = "Set it with --registry REGISTRY/PATH, or in the variable KO_DOCKER_REPO."
	howToNameBase     = "Use another base image with --base python=IMAGE (or go=IMAGE), or set base-images for everyone in ConfigMap %s of %s."
)

// imageFlags are where node images are pushed to and what they are based on.
type imageFlags struct {
	registry string
	insecure bool
	platform []string
	bases    []string
}

func (f *imageFlags) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.registry, "registry", "", "registry and path that node images are pushed to (default: $KO_DOCKER_REPO)")
	flags.BoolVar(&f.insecure, "insecure-registry", false, "use plain HTTP for the registry; always allowed for one on this machine")
	flags.StringSliceVar(&f.platform, "platform", nil,
		"platforms to build for, such as linux/arm64 (default: the base image's, or linux/amd64)")
	flags.StringArrayVar(&f.bases, "base", nil,
		"base image, as NAME=IMAGE; NAME is python, go or an image that krt.yml names (default: from config-krt of the cluster)")
}

// repo is where images are pushed to.
func (f *imageFlags) repo() string { return cmp.Or(f.registry, os.Getenv("KO_DOCKER_REPO")) }

// check returns what is wrong with the flags, as far as that can be known before anything
// is done.
func (f *imageFlags) check(cmd *cobra.Command, b *krt.Bundle) error {
	if f.repo() != "" {
		if err := image.CheckRepo(f.repo()); err != nil {
			return term.WithHint(fmt.Errorf("cannot make images: %w", err), howToNameRegistry)
		}
	}
	bases, err := term.Pairs(cmd, "--base", f.bases)
	if err != nil {
		return err
	}
	known := []string{"python", "go"}
	for _, n := range b.Manifest.Nodes {
		known = append(known, image.Names(n.Image)...)
	}
	for name := range bases {
		if !slices.Contains(known, name) {
			slices.Sort(known)
			hint := spelling.Hint(name, known)
			return term.UsageError(cmd, "--base names %q: want a language or an image that krt.yml names: %s%s",
				name, strings.Join(slices.Compact(known), ", "), hint)
		}
	}
	return nil
}

// placeholders are names of images that are not built yet.
func (f *imageFlags) placeholders(b *krt.Bundle) map[string]string {
	images := map[string]string{}
	for _, n := range b.Manifest.Nodes {
		if b.Kind(n) != krt.KindImage {
			images[n.Name] = cmp.Or(f.repo(), "registry.local") + "/krt-nodes:" + b.Manifest.Version + "-" + n.Name
		}
	}
	return images
}

// build builds and pushes the images of the bundle's nodes, and the files for people, and returns the
// version made of them. c is the cluster they are for, whose settings name base images; nil for none.
func (o *createOptions) build(cmd *cobra.Command, c *Cluster, b *krt.Bundle, from render.FromOptions) (*v1alpha1.Version, error) {
	bases, err := term.Pairs(cmd, "--base", o.images.bases)
	if err != nil {
		return nil, err
	}
	ctx := cmd.Context()
	if c != nil {
		for name, image := range c.baseImages(ctx, o.streams.Err) {
			if bases[name] == "" {
				bases[name] = image
			}
		}
	}
	progress := &imageProgress{out: o.streams.Out, begun: time.Now()}
	builder, err := image.New(image.Options{
		Repo: o.images.repo(), Insecure: o.images.insecure, Platforms: o.images.platform,
		Bases: bases, GoBase: cmp.Or(bases["go"], os.Getenv("KO_DEFAULTBASEIMAGE")),
		Runner: runnerProgram(), Progress: progress.event,
	})
	if err != nil {
		return nil, o.explainImages(err)
	}
	fmt.Fprintf(o.streams.Out, "Building images of version '%s':\n\n", b.Manifest.Version)
	images, err := builder.BuildAll(ctx, b)
	if err != nil {
		return nil, o.explainImages(err)
	}
	if from.Artifact, err = o.pushFiles(ctx, builder, b); err != nil {
		return nil, err
	}
	fmt.Fprintln(o.streams.Out)
	return render.FromBundle(b, images, from), nil
}

// pushFiles pushes the files for people. A version can do without them, so that the limits of the
// artifact, and a registry that takes images only, lead to a warning.
func (o *createOptions) pushFiles(ctx context.Context, builder *image.Builder, b *krt.Bundle) (string, error) {
	ref, err := builder.Files(ctx, b)
	var limit *artifact.LimitError
	var registry *image.RegistryError
	switch {
	case errors.As(err, &limit), errors.As(err, &registry) && registry.Trouble == image.TroubleOther:
		fmt.Fprintf(o.streams.Err, "Warning: dashboards will not show docs/, metrics/ and examples of this version: %s\n",
			legible.Printable(err.Error()))
		return "", nil
	case err != nil:
		return "", o.explainImages(err)
	}
	return ref, nil
}

// baseImages are those of the cluster's settings. If they cannot be read, w gets a warning
// and the defaults are used.
func (c *Cluster) baseImages(ctx context.Context, w io.Writer) map[string]string {
	settings, _, err := c.Settings(ctx)
	if err != nil {
		fmt.Fprintf(w, "Warning: using the default base images: cannot use ConfigMap %s of %s: %s\n",
			render.SettingsName, cluster.SystemNamespace, legible.Printable(err.Error()))
	}
	return settings.BaseImages
}

// runnerProgram runs Python nodes on base images without a runner: the program cmd/runner
// if it is next to this one, else this one.
func runnerProgram() image.Program {
	self, err := os.Executable()
	if err != nil {
		return image.Program{}
	}
	next := filepath.Join(filepath.Dir(self), "runner")
	if info, err := os.Stat(next); err == nil && info.Mode().IsRegular() {
		return image.Program{Path: next}
	}
	return image.Program{Path: self, Args: []string{local.RunnerVerb}}
}

func (o *createOptions) explainImages(err error) error {
	var registry *image.RegistryError
	var build *gobuild.Error
	var requirements *requirement.Error
	switch {
	case errors.Is(err, context.Canceled):
		return term.FailAs(term.ExitInterrupted, err, "Nothing was created.")
	case errors.Is(err, image.ErrNoRepo):
		return term.WithHint(err, howToNameRegistry)
	case errors.As(err, &registry) && registry.Trouble == image.TroubleInsecure:
		return term.WithHint(err, "If it has no TLS, add --insecure-registry. Nothing was created.")
	case errors.As(err, &registry) && registry.Doing == image.DoingReadBase:
		return term.WithHint(err, "Nothing was created. "+howToNameBase, render.SettingsName, cluster.SystemNamespace)
	case errors.As(err, &registry):
		return term.WithHint(err, "Nothing was created.")
	case errors.Is(err, image.ErrNoRunner):
		return term.WithHint(err, howToNameBase, render.SettingsName, cluster.SystemNamespace)
	case errors.As(err, &build), errors.As(err, &requirements), errors.Is(err, gobuild.ErrNoGo):
		return term.WithHint(err, "Nothing was created.")
	}
	return err
}

// maxProgress bounds a line of progress, in bytes: the go command's may have what a bundle's code has.
const maxProgress = 1024

// imageProgress prints a line for each step of each node.
type imageProgress struct {
	out   io.Writer
	begun time.Time
	mu    sync.Mutex
}

func (p *imageProgress) event(e image.Event) {
	var text string
	switch e.Type {
	case image.EventBuilding:
		text = "building"
	case image.EventInstalling:
		text = "installing its requirements"
	case image.EventDownload, image.EventWarning:
		text = e.Text
	case image.EventDone:
		text = fmt.Sprintf("image built in %.1fs, %s of %s pushed", e.Elapsed.Seconds(), legible.Bytes(e.Sent), legible.Bytes(e.Size))
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	who := "all nodes"
	if e.Node != "" {
		who = "node " + e.Node
	}
	fmt.Fprintf(p.out, "%7.3fs %s: %s\n", time.Since(p.begun).Seconds(), who, legible.Line(text, maxProgress))
}
