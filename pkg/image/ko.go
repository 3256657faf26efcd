package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"krt.dev/kn-krt/pkg/gobuild"
	"krt.dev/kn-krt/pkg/image/layer"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/krt/archive"
)

const (
	// koData is the folder next to a main package that is copied into its image, and koRoot is where (KO_DATA_PATH).
	koData = "kodata"
	koRoot = "var/run/ko"
	// maxKoData is how many files kodata may hold, maxKoDepth how deep folders and links may lead.
	maxKoData  = 100_000
	maxKoDepth = 32
)

// baseOf returns the base image of node n, and what it requires in addition to its own requirements.
func (s *session) baseOf(n krt.Node) (image string, requirements []string, err error) {
	if s.bundle.Kind(n) != krt.KindKo {
		image, requirements = s.o.baseName(s.bundle, n)
		return image, requirements, nil
	}
	config, err := s.koConfig()
	return s.o.koBaseName(config, strings.TrimPrefix(n.Image, krt.KoPrefix), n.Src), nil, err
}

// readKo reads ko's configuration for all nodes of the session.
func (s *session) readKo() (koConfig, error) {
	config, ignored, err := readKoConfig(s.bundle)
	if len(ignored) > 0 {
		s.o.Progress(Event{Type: EventWarning, Text: fmt.Sprintf("%s of the bundle's %s is ignored: only base images are read from it; "+
			"flags and environment of builds are read from the file that KO_CONFIG_PATH names", strings.Join(ignored, ", "), koFile)})
	}
	return config, err
}

// koFlags are the flags and the environment that the user's own configuration of ko has for builds.
func (s *session) koFlags(env []string) (flags, own []string, err error) {
	config, err := s.koConfig()
	if err != nil {
		return nil, nil, err
	}
	env = slices.Concat(env, config.DefaultEnv)
	now := time.Now()
	if flags, err = fill(config.DefaultFlags, env, now); err != nil || len(config.DefaultLdflags) == 0 {
		return flags, config.DefaultEnv, err
	}
	ldflags, err := fill(config.DefaultLdflags, env, now)
	return append(flags, "-ldflags="+strings.Join(ldflags, " ")), config.DefaultEnv, err
}

// addKoData adds the folder kodata of the main package of t, if it has one. It may link to other files and
// folders of the bundle, as those that ko itself is to take do; never out of it.
func (s *session) addKoData(ctx context.Context, n krt.Node, p v1.Platform, c *contents) error {
	folder, err := s.packageFolder(ctx, n, p)
	if err != nil {
		return err
	}
	if folder == "" {
		return nil
	}
	files, err := koDataOf(s.bundle, s.packed().names, path.Join(folder, koData))
	if err != nil || len(files) == 0 {
		return err
	}
	type key string
	b, err := once(s.memo, key("kodata "+folder), func() (*layer.Blob, error) {
		return s.layers.Blob(ctx, "", layer.OfFiles(s.bundle.Dir, files))
	})
	if err == nil {
		c.parts = append(c.parts, part{b, "kodata of the node"})
	}
	return err
}

// koDataOf lists the files of a folder of the bundle, which need not be there, under the names that they have
// in an image. Only those count that are packed, by the names that links point to: a link is not a way around what
// is left out.
func koDataOf(b *krt.Bundle, packed map[string]bool, folder string) ([]layer.Placed, error) {
	root, err := b.Open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if _, err := root.Lstat(folder); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	place, err := filepath.EvalSymlinks(b.Dir)
	if err != nil {
		return nil, err
	}
	l := koLister{root: root, place: place, packed: packed, folder: folder}
	err = l.list(folder, koRoot, 0)
	return l.found, err
}

// koLister lists kodata.
type koLister struct {
	root   *os.Root
	place  string // the bundle's folder, without links
	packed map[string]bool
	folder string
	looked int
	found  []layer.Placed
}

// list adds what name refers to, as to.
func (l *koLister) list(name, to string, depth int) error {
	info, err := l.root.Stat(name) // follows links; one that leads out is an error
	switch {
	case err != nil:
		return fmt.Errorf("%q is not a file of the bundle: %w", name, err)
	case info.Mode().IsRegular():
		return l.add(name, to, info)
	case !info.IsDir():
		return fmt.Errorf("%q is neither a file nor a folder", name)
	case depth > maxKoDepth:
		return fmt.Errorf("%q is nested deeper than %d folders: is it a link to a folder that contains it?", name, maxKoDepth)
	}
	entries, err := fs.ReadDir(l.root.FS(), name)
	for _, e := range entries {
		if err == nil {
			err = l.list(path.Join(name, e.Name()), path.Join(to, e.Name()), depth+1)
		}
	}
	return err
}

// add adds a file, if what name refers to is packed.
func (l *koLister) add(name, to string, info fs.FileInfo) error {
	if l.looked++; l.looked > maxKoData {
		return fmt.Errorf("%q holds more than %d files", l.folder, maxKoData)
	}
	at, err := filepath.EvalSymlinks(filepath.Join(l.place, filepath.FromSlash(name)))
	if err == nil {
		at, err = filepath.Rel(l.place, at)
	}
	if at = filepath.ToSlash(at); err == nil && l.packed[at] {
		l.found = append(l.found, layer.Placed{File: archive.File{Name: at, Info: info}, To: to})
	}
	return err
}

// packageFolder returns the folder of the main package of t, from the bundle's root; "" for one that is not in
// the bundle.
func (s *session) packageFolder(ctx context.Context, n krt.Node, p v1.Platform) (string, error) {
	t, _ := gobuild.TargetOf(s.bundle, n)
	_, flags, err := s.goFlags(ctx, t)
	if err != nil {
		return "", err
	}
	var said bytes.Buffer
	if err := s.runGo(ctx, n, t, goRun{
		args: slices.Concat([]string{"list", "-f", "{{.Dir}}"}, flags, []string{t.Pattern}),
		env:  gobuild.Environ(os.Environ(), p.OS, p.Architecture), stdout: &said,
	}); err != nil {
		return "", err
	}
	root, err := filepath.EvalSymlinks(s.bundle.Dir)
	if err != nil {
		return "", err
	}
	folder, err := filepath.Rel(root, strings.TrimSpace(said.String()))
	if err != nil || !filepath.IsLocal(folder) {
		return "", err
	}
	return filepath.ToSlash(folder), nil
}
