package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/krt/archive"
	"krt.dev/kn-krt/pkg/requirement"
)

const (
	// packagesRoot is where requirements are in an image.
	packagesRoot = "krt-python"
	// maxPackages is how large they may be, in bytes.
	maxPackages = 16 << 30
)

// requirementSet is what pip is to install.
type requirementSet struct {
	file     string            // requirements.txt, from the bundle's root; "" for none
	list     *requirement.List // what it says
	version  string            // of Python, "3.12"
	platform v1.Platform
}

// requirements adds what the Python node n requires: what the requirements.txt says that is
// beside its code or, if there is none, in the nearest folder above, up to the bundle's root.
func (s *session) requirements(ctx context.Context, n krt.Node, b base, more []string, c *contents) error {
	r := requirementSet{file: s.nearest(n, requirement.File), platform: b.platform}
	var err error
	if r.list, err = s.required(n, r.file, more); err != nil || len(r.list.Items) == 0 {
		return err
	}
	if r.version, err = s.pythonVersion(ctx, b); err != nil {
		return err
	}
	packages, err := s.packages(ctx, n, r)
	if err != nil {
		return fmt.Errorf("cannot get what %q requires: %w", first(r.file, strings.Join(more, ", ")), err)
	}
	c.parts = append(c.parts, part{packages.blob, "requirements of the node"})
	search := "/" + packagesRoot
	if before := getEnv(b.config.Config.Env, "PYTHONPATH"); before != "" {
		search += ":" + before
	}
	c.env = append(c.env, "PYTHONPATH="+search)
	c.packages = append(c.packages, packages.components...)
	return nil
}

// required reads the requirements.txt at file, if there is one; more are packages besides.
func (s *session) required(n krt.Node, file string, more []string) (*requirement.List, error) {
	list := &requirement.List{}
	if file != "" {
		read, err := requirement.Read(s.packed(), file)
		if err != nil {
			return nil, fmt.Errorf("cannot install what %q names:\n  %w", file, err)
		}
		*list = *read
	} else if other := s.otherRequirements(n); other != "" {
		s.o.Progress(Event{Type: EventWarning, Node: n.Name, Text: fmt.Sprintf(
			"%q lists packages, but nodes get those of a %s, and there is none: write one next to it", other, requirement.File)})
	}
	for _, name := range more {
		if !list.Names(name) {
			list.Items = append(list.Items, requirement.Item{Name: name})
		}
	}
	return list, nil
}

// nearest returns the path of the file of that name which is nearest to n's code, there or above; "" if there is none.
func (s *session) nearest(n krt.Node, file string) string {
	return requirement.Nearest(path.Dir(n.Src), file, func(name string) bool {
		return slices.ContainsFunc(s.files, func(f archive.File) bool { return f.Name == name })
	})
}

// listsPackages is how pyproject.toml names packages; it is often there for tools only.
var listsPackages = regexp.MustCompile(`(?m)^\s*(dependencies\s*=\s*\[\s*["'\n#]|\[tool\.poetry\.dependencies\])`)

// otherRequirements returns a file of n's that lists packages for another tool than pip; "" if there is none.
func (s *session) otherRequirements(n krt.Node) string {
	if name := s.nearest(n, "pyproject.toml"); name != "" {
		if file, err := s.bundle.FS().Open(name); err == nil {
			text, _ := io.ReadAll(io.LimitReader(file, maxText)) // a file that cannot be read fails when it is packed
			_ = file.Close()
			if listsPackages.Match(text) {
				return name
			}
		}
	}
	for _, other := range []string{"Pipfile", "environment.yml", "environment.yaml", "setup.py", "setup.cfg"} {
		if name := s.nearest(n, other); name != "" {
			return name
		}
	}
	return ""
}

// packed is the bundle as it is packed: what is ignored is not there.
func (s *session) packed() packedFS {
	names := map[string]bool{}
	for _, f := range s.files {
		names[f.Name] = true
	}
	return packedFS{s.bundle.FS(), names}
}

type packedFS struct {
	fs.FS
	names map[string]bool
}

// Open opens a file of the bundle.
func (p packedFS) Open(name string) (fs.File, error) {
	if !p.names[name] {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return p.FS.Open(name)
}

// identify returns a name for all that goes into an installation: the lines that pip is given, and the
// content of the wheels that they name.
func (s *session) identify(r requirementSet) (string, error) {
	sum, digests := sha256.New(), map[string]string{}
	fmt.Fprintf(sum, "requirements 4 %q %q %q\n", r.version, r.platform.String(), r.list.Options)
	for kind, items := range [][]requirement.Item{r.list.Items, r.list.Constraints} {
		for _, item := range items {
			fmt.Fprintf(sum, "%d %q\n", kind, item.Line(path.Base(item.Wheel)))
			if item.Wheel == "" {
				continue
			}
			if digests[item.Wheel] == "" {
				digest, err := s.copyWheel(item.Wheel, io.Discard)
				if err != nil {
					return "", err
				}
				digests[item.Wheel] = digest
			}
			fmt.Fprintf(sum, "%s\n", digests[item.Wheel])
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// copyWheel copies a wheel of the bundle and returns the digest of what was copied.
func (s *session) copyWheel(name string, to io.Writer) (string, error) {
	file, err := s.bundle.FS().Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(sum, to), file)
	return hex.EncodeToString(sum.Sum(nil)), err
}

// laidWheels is where in the folder that pip gets the bundle's wheels are.
const laidWheels = "wheels"

// layOut writes the requirements into folder, for pip, and returns its arguments.
func (s *session) layOut(r requirementSet, folder string) (args []string, err error) {
	args = slices.Clone(r.list.Options)
	laid := map[string]string{} // wheels by their name in the bundle
	for _, list := range []struct {
		flag, file string
		items      []requirement.Item
	}{{"-r", requirement.File, r.list.Items}, {"-c", "constraints.txt", r.list.Constraints}} {
		if len(list.items) == 0 {
			continue
		}
		var text strings.Builder
		for i, item := range list.items {
			if item.Wheel != "" && laid[item.Wheel] == "" {
				wheel := fmt.Sprintf("./%s/%d/%s", laidWheels, i, path.Base(item.Wheel))
				if err := s.layOutWheel(item.Wheel, filepath.Join(folder, filepath.FromSlash(wheel))); err != nil {
					return nil, err
				}
				laid[item.Wheel] = wheel
			}
			text.WriteString(item.Line(laid[item.Wheel]) + "\n")
		}
		args = append(args, list.flag, list.file)
		if err := os.WriteFile(filepath.Join(folder, list.file), []byte(text.String()), 0o600); err != nil {
			return nil, err
		}
	}
	return args, nil
}

func (s *session) layOutWheel(name, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	file, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = s.copyWheel(name, file)
	return errors.Join(err, file.Close())
}
