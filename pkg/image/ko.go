package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/ko/pkg/build"
	"github.com/sigstore/cosign/v2/pkg/oci"

	"krt.dev/kn-krt/pkg/gobuild"
	"krt.dev/kn-krt/pkg/krt"
)

// makeKo makes the image of a node that is a ko:// import path by ko itself, so that it is
// the one that "ko apply" would make: kodata is the bundle, and ko's configuration holds. Only
// the build's flags are ours, by which the SDK that this program carries is found.
func (s *session) makeKo(ctx context.Context, n krt.Node) (made, error) {
	target, _ := gobuild.TargetOf(s.bundle, n)
	if _, err := exec.LookPath(first(os.Getenv("KO_GO_PATH"), "go")); err != nil {
		return made{}, fmt.Errorf("%w: install Go (https://go.dev/dl)", gobuild.ErrNoGo)
	}
	config, err := readKoConfig(target.Folder)
	if err != nil {
		return made{}, err
	}
	under, platforms, err := s.koBase(ctx, s.o.koBaseName(config, target.Pattern, n.Src))
	if err != nil {
		return made{}, err
	}
	_, flags, err := s.goFlags(target)
	if err != nil {
		return made{}, err
	}
	options := []build.Option{
		build.WithBaseImages(func(context.Context, string) (name.Reference, build.Result, error) {
			return under.ref, under.result, nil
		}),
		build.WithPlatforms(platforms...),
		build.WithTrimpath(true),
		build.WithJobs(s.o.Jobs),
		build.WithConfig(map[string]build.Config{target.Pattern: {
			Flags:   slices.Concat(config.DefaultFlags, flags, []string{"-buildvcs=false"}),
			Ldflags: config.DefaultLdflags,
			Env:     append(slices.Clone(config.DefaultEnv), "GOWORK=off"),
		}}),
	}
	if s.o.NoSBOM {
		options = append(options, build.WithDisabledSBOM())
	}
	s.o.Progress(Event{Type: EventBuilding, Node: n.Name})
	builder, err := build.NewGo(ctx, target.Folder, options...)
	if err != nil {
		return made{}, err
	}
	result, err := builder.Build(ctx, build.StrictScheme+target.Pattern)
	if err != nil {
		return made{}, koError(ctx, n, target, err)
	}
	return koMade(under.ref, result)
}

// koImage is a base as ko wants it.
type koImage struct {
	ref    name.Reference
	result build.Result
}

// koBase returns the base image whole, and the platforms to be taken from it.
func (s *session) koBase(ctx context.Context, image string) (koImage, []string, error) {
	found, err := s.bases(ctx, image) // tells what is wrong with it
	if err != nil {
		return koImage{}, nil, err
	}
	d := found[0].whole
	platforms := s.o.Platforms
	if !d.MediaType.IsIndex() {
		only, err := d.Image()
		return koImage{found[0].ref, only}, []string{"all"}, err
	}
	if len(platforms) == 0 {
		platforms = []string{defaultPlatform}
	}
	index, err := d.ImageIndex()
	return koImage{found[0].ref, index}, platforms, err
}

// koMade returns what ko made, with the SBOMs that it attached.
func koMade(under name.Reference, result build.Result) (made, error) {
	m := made{sent: new(atomic.Int64), documents: map[v1.Hash]remote.Taggable{}}
	switch result := result.(type) {
	case oci.SignedImage:
		m.image = countedImage{result, under, m.sent}
		return m, m.addKo(result, result)
	case oci.SignedImageIndex:
		m.image = result
		manifest, err := result.IndexManifest()
		if err != nil {
			return m, err
		}
		for _, d := range manifest.Manifests {
			image, err := result.SignedImage(d.Digest)
			if err != nil {
				return m, err
			}
			if err := m.addKo(image, image); err != nil {
				return m, err
			}
		}
		return m, m.addKo(result, nil)
	}
	return m, fmt.Errorf("ko made a %T", result)
}

// addKo adds the SBOM of one of ko's images, and the size of its layers.
func (m *made) addKo(entity oci.SignedEntity, image v1.Image) error {
	if image != nil {
		manifest, err := image.Manifest()
		if err != nil {
			return err
		}
		const own = 2 // the layers that ko adds: kodata and the program
		for _, l := range manifest.Layers[max(0, len(manifest.Layers)-own):] {
			m.size += l.Size
		}
	}
	document, err := entity.Attachment("sbom")
	if err != nil {
		return nil //nolint:nilerr // it has none
	}
	digest, err := entity.Digest()
	m.documents[digest] = document
	return err
}

// compilerOutput is where in ko's error the go command's words begin.
var compilerOutput = regexp.MustCompile(`(?s)go build: exit status [0-9]+: (.*)$`)

// koError gives ko's error the form that those of other builds have.
func koError(ctx context.Context, n krt.Node, t gobuild.Target, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	said := compilerOutput.FindStringSubmatch(err.Error())
	if said == nil {
		return err
	}
	failed := &gobuild.Error{Node: n.Name}
	for line := range strings.Lines(said[1]) {
		if line = strings.TrimRight(line, "\r\n"); line != "" && !strings.HasPrefix(line, "# ") {
			failed.Output = append(failed.Output, gobuild.FromHere(t.Folder, line))
		}
	}
	if len(failed.Output) == 0 {
		return errors.New("the go command fails and says nothing")
	}
	return failed
}
