package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"krt.dev/kn-krt/pkg/krt"
)

const (
	// requirementsFile is what pip's users call it.
	requirementsFile = "requirements.txt"
	// packagesRoot is where requirements are in an image.
	packagesRoot = "krt-python"
	// maxRequirements is how many files requirements may lead to.
	maxRequirements = 64
)

// requirementSet is what pip is to install.
type requirementSet struct {
	file     string   // requirements.txt, from the bundle's root; "" for none
	more     []string // requirements besides it
	version  string   // of Python, "3.12"
	platform v1.Platform
}

// requirements adds what the Python node n requires: what the requirements.txt says that is
// beside its code or, if there is none, in the nearest folder above, up to the bundle's root.
func (s *session) requirements(ctx context.Context, n krt.Node, b base, more []string, c *contents) error {
	r := requirementSet{file: s.requirementsOf(n), more: more, platform: b.platform}
	if r.file == "" && len(more) == 0 {
		return nil
	}
	var err error
	if r.version, err = s.pythonVersion(ctx, b); err != nil {
		return err
	}
	id, err := s.identify(r)
	if err != nil {
		return fmt.Errorf("%q: %w", r.file, err)
	}
	type key string
	folder, err := once(s.memo, key(id), func() (string, error) { return s.installed(ctx, n, r, id) })
	if err != nil {
		return fmt.Errorf("cannot get what %q requires: %w", first(r.file, strings.Join(more, ", ")), err)
	}
	type blobKey string
	packages, err := once(s.memo, blobKey(id), func() (*blob, error) { return s.blob(ctx, "python-"+id, folderContent(folder)) })
	if err != nil {
		return err
	}
	c.parts = append(c.parts, part{packages, "requirements of the node"})
	search := "/" + packagesRoot
	if before := getEnv(b.config.Config.Env, "PYTHONPATH"); before != "" {
		search += ":" + before
	}
	c.env = append(c.env, "PYTHONPATH="+search)
	infos, err := filepath.Glob(filepath.Join(folder, "*.dist-info"))
	for _, info := range infos {
		name, version, _ := strings.Cut(strings.TrimSuffix(filepath.Base(info), ".dist-info"), "-")
		c.packages = append(c.packages, pythonComponent(name, version))
	}
	return err
}

// requirementsOf returns the path of the requirements.txt for n, "" if there is none.
func (s *session) requirementsOf(n krt.Node) string {
	for folder := path.Dir(n.Src); ; folder = path.Dir(folder) {
		name := path.Join(folder, requirementsFile)
		if slices.ContainsFunc(s.files, func(f krt.File) bool { return f.Name == name }) {
			return name
		}
		if folder == "." {
			return ""
		}
	}
}

// identify returns a name for what r says: its content, and that of every file of the
// bundle that it names, such as other requirements, constraints and wheels.
func (s *session) identify(r requirementSet) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "requirements 1 %q %q %q\n", r.version, r.platform.String(), r.more)
	if r.file != "" {
		seen := map[string]bool{}
		if err := s.hashRequirements(sum, r.file, seen); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func (s *session) hashRequirements(sum hash.Hash, name string, seen map[string]bool) error {
	if seen[name] {
		return nil
	}
	if seen[name] = true; len(seen) > maxRequirements {
		return fmt.Errorf("it leads to more than %d files", maxRequirements)
	}
	file, err := s.bundle.FS().Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	fmt.Fprintf(sum, "%q\n", name)
	if path.Ext(name) == ".whl" {
		_, err := io.Copy(sum, file)
		return err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxText))
	if err != nil {
		return err
	}
	sum.Write(text)
	isSeparator := func(r rune) bool { return strings.ContainsRune(" \t\r\n=", r) }
	for _, word := range strings.FieldsFunc(string(text), isSeparator) {
		named := path.Join(path.Dir(name), strings.TrimPrefix(word, "-r"))
		inFolder := func(f krt.File) bool { return f.Name == named || path.Ext(f.Name) == ".whl" && within(f.Name, named) }
		for _, f := range s.files {
			if !inFolder(f) {
				continue
			}
			if err := s.hashRequirements(sum, f.Name, seen); err != nil {
				return err
			}
		}
	}
	return nil
}

// installed returns the folder with the packages of r. It is kept: what has been fetched
// once is the same for every later image, also without a network.
func (s *session) installed(ctx context.Context, n krt.Node, r requirementSet, id string) (string, error) {
	folder := filepath.Join(s.o.Cache, "python", id)
	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}
	s.o.Progress(Event{Type: EventInstalling, Node: n.Name, Text: r.file})
	made, err := os.MkdirTemp(s.work, "python-")
	if err != nil {
		return "", err
	}
	if err := s.install(ctx, r, made); err != nil {
		return "", err
	}
	if err := errors.Join(tidy(made), os.MkdirAll(filepath.Dir(folder), 0o700)); err != nil {
		return "", err
	}
	err = os.Rename(made, folder)
	if _, there := os.Stat(folder); there == nil {
		return folder, nil // perhaps another process was faster
	}
	return "", err
}

// folderContent returns the content of a layer with all packages in folder.
func folderContent(folder string) content {
	return func(ctx context.Context, w io.Writer) error {
		root, err := os.OpenRoot(folder)
		if err != nil {
			return err
		}
		defer root.Close()
		t := newTree(ctx, w)
		if err := t.folder(packagesRoot); err != nil { // there may be nothing in it
			return err
		}
		err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			file, err := root.Open(name)
			if err != nil {
				return err
			}
			defer file.Close()
			info, err := file.Stat()
			if err != nil {
				return err
			}
			return t.file(path.Join(packagesRoot, name), file, info.Mode()&0o111 != 0)
		})
		return errors.Join(err, t.tar.Close())
	}
}
