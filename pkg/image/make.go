package image

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"krt.dev/kn-krt/pkg/image/layer"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/krt/archive"
	"krt.dev/kn-krt/pkg/runner/environment"
)

const (
	// appFolder is where programs are, as in ko's images.
	appFolder = "ko-app"
	// user is whom nodes run as: not root, and by number, or runAsNonRoot refuses it.
	user = "65532:65532"
	// large is from how many bytes on a layer's digest is worth keeping.
	large = 1 << 20
)

// made is a node's image, ready to be pushed.
type made struct {
	// image is a v1.Image, or a v1.ImageIndex for several platforms.
	image interface {
		remote.Taggable
		Digest() (v1.Hash, error)
	}
	// documents are the SBOMs by what they are about.
	documents map[v1.Hash]remote.Taggable
	size      int64
	sent      *atomic.Int64
}

// part is a layer of an image.
type part struct {
	blob *layer.Blob
	what string // for the image's history
}

// contents is what is above the base.
type contents struct {
	parts      []part
	entrypoint []string
	folder     string   // the working directory; "" for the base's
	env        []string // NAME=value
	// packages are what the SBOM lists.
	packages []component
}

// make makes the image of n for each platform.
func (s *session) make(ctx context.Context, n krt.Node) (made, error) {
	name, more, err := s.baseOf(n)
	if err != nil {
		return made{}, err
	}
	bases, err := s.bases(ctx, name)
	if err != nil {
		return made{}, err
	}
	m := made{sent: new(atomic.Int64), documents: map[v1.Hash]remote.Taggable{}}
	var images []mutate.IndexAddendum
	for _, b := range bases {
		c, err := s.contents(ctx, n, b, more)
		if err != nil {
			return m, err
		}
		image, err := s.compose(ctx, b, c, m.sent)
		if err != nil {
			return m, err
		}
		for _, p := range c.parts {
			m.size += p.blob.Size
		}
		if err := s.document(&m, image, b, c); err != nil {
			return m, err
		}
		images = append(images, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &b.platform}})
		m.image = image
	}
	if len(images) > 1 {
		m.image = mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), images...)
	}
	return m, nil
}

// contents returns what the image of n holds above b. more are requirements in addition to its own.
func (s *session) contents(ctx context.Context, n krt.Node, b base, more []string) (contents, error) {
	if s.bundle.Kind(n) == krt.KindKo {
		c := contents{env: []string{environment.KoDataPath + "=/" + koRoot}}
		if err := s.program(ctx, n, b, &c); err != nil {
			return c, err
		}
		return c, s.addKoData(ctx, n, b.platform, &c)
	}
	c := contents{folder: "/" + bundleRoot, env: []string{environment.BasePath + "=/" + bundleRoot}}
	var err error
	if s.bundle.Kind(n) == krt.KindPython {
		err = s.python(ctx, n, b, more, &c)
	} else {
		// Where programs made for ko look for their data.
		c.env = append(c.env, environment.KoDataPath+"=/"+bundleRoot)
		err = s.program(ctx, n, b, &c)
	}
	if err != nil {
		return c, err
	}
	files := s.split(n)
	for _, part := range []struct {
		files []archive.File
		what  string
	}{{files.models, "models of the version"}, {files.shared, "files of the version"}, {files.own, "code of the node"}} {
		if err := s.addFiles(ctx, &c, part.files, part.what); err != nil {
			return c, err
		}
	}
	return c, nil
}

// addFiles adds a layer with files of the bundle, if there are any. Nodes share it.
func (s *session) addFiles(ctx context.Context, c *contents, files []archive.File, what string) error {
	if len(files) == 0 {
		return nil
	}
	type key string
	list := sha256.New()
	var size int64
	placed := make([]layer.Placed, len(files))
	for i, f := range files {
		fmt.Fprintf(list, "%q", f.Name)
		size += f.Info.Size()
		placed[i] = layer.Placed{File: f, To: path.Join(bundleRoot, f.Name)}
	}
	b, err := once(s.memo, key(hex.EncodeToString(list.Sum(nil))), func() (*layer.Blob, error) {
		known := ""
		if size >= large {
			known, _ = layer.Stamp(s.bundle.Dir, files, time.Now())
		}
		return s.layers.Blob(ctx, known, layer.OfFiles(s.bundle.Dir, placed))
	})
	if err != nil {
		return err
	}
	c.parts = append(c.parts, part{b, what})
	return nil
}

// compose puts c on b.
func (s *session) compose(ctx context.Context, b base, c contents, sent *atomic.Int64) (v1.Image, error) {
	adds := make([]mutate.Addendum, len(c.parts))
	for i, p := range c.parts {
		adds[i] = mutate.Addendum{
			Layer:     p.blob.In(ctx, b.media, sent),
			MediaType: b.media,
			History:   v1.History{Author: "kn-krt", CreatedBy: "kn-krt", Comment: p.what},
		}
	}
	image, err := mutate.Append(countedImage{b.image, b.ref, sent}, adds...)
	if err != nil {
		return nil, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.Author = "kn-krt"
	config := &file.Config
	config.Entrypoint, config.Cmd, config.WorkingDir = c.entrypoint, nil, cmp.Or(c.folder, config.WorkingDir)
	if !numericUser(config.User) {
		config.User = user
	}
	config.Env = setEnv(config.Env, c.env)
	image, err = mutate.ConfigFile(image, file)
	if err != nil {
		return nil, err
	}
	annotated, ok := mutate.Annotations(image, b.annotations()).(v1.Image)
	if !ok {
		return nil, fmt.Errorf("an image with annotations is a %T", annotated)
	}
	return annotated, nil
}

// numericUser reports whether the base's user is one that a pod may run as: a number, not root's.
func numericUser(of string) bool {
	id, _, _ := strings.Cut(of, ":")
	return strings.Trim(id, "0123456789") == "" && strings.Trim(id, "0") != ""
}

// setEnv returns env with the variables of more, each once, and programs on the PATH.
func setEnv(env, more []string) []string {
	env = slices.Clone(env)
	set := func(name, value string) {
		env = slices.DeleteFunc(env, func(pair string) bool { return strings.HasPrefix(pair, name+"=") })
		env = append(env, name+"="+value)
	}
	for _, pair := range more {
		name, value, _ := strings.Cut(pair, "=")
		set(name, value)
	}
	if search := getEnv(env, "PATH"); search != "" {
		set("PATH", search+":/"+appFolder)
	} else {
		set("PATH", "/usr/local/bin:/usr/bin:/bin:/"+appFolder)
	}
	return env
}

func getEnv(env []string, name string) string {
	for _, pair := range env {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}

// app returns the path of a program in an image.
func app(name string) string { return path.Join(appFolder, name) }
