package image

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/image/pip"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/krt/archive"
	"krt.dev/kn-krt/pkg/krt/untrusted"
	"krt.dev/kn-krt/pkg/requirement"
)

const (
	// packagesRoot is where requirements are in an image.
	packagesRoot = "krt-python"
	// maxPackages is how large they may be, in bytes.
	maxPackages = 16 << 30
)

// requirements adds what the Python node n requires: the requirements.txt next to
// its code or, if there is none, in the nearest folder above, up to the bundle's root.
func (s *session) requirements(ctx context.Context, n krt.Node, b base, more []string, c *contents) error {
	file, set := s.nearest(n, requirement.File), pip.Set{Platform: b.platform}
	var err error
	if set.List, err = s.required(n, file, more); err != nil || len(set.List.Items) == 0 {
		return err
	}
	if set.Version, err = s.pythonVersion(ctx, b); err != nil {
		return err
	}
	packages, err := s.packages(ctx, n, file, set)
	if err != nil {
		return fmt.Errorf("cannot get what %q requires: %w", cmp.Or(file, strings.Join(more, ", ")), err)
	}
	c.parts = append(c.parts, part{packages.blob, "requirements of the node"})
	if packages.bytecode != nil {
		c.parts = append(c.parts, part{packages.bytecode, "bytecode of the requirements"})
	}
	search := "/" + packagesRoot
	if before := getEnv(b.config.Config.Env, "PYTHONPATH"); before != "" {
		search += ":" + before
	}
	c.env = append(c.env, "PYTHONPATH="+search)
	c.packages = append(c.packages, packages.components...)
	return nil
}

// required reads the requirements.txt at file, if there is one; more are packages in addition to it.
func (s *session) required(n krt.Node, file string, more []string) (*requirement.List, error) {
	list := &requirement.List{}
	if file != "" {
		read, err := requirement.Read(s.packed(), file)
		if err != nil {
			return nil, fmt.Errorf("cannot install the requirements of %q:\n  %w", file, err)
		}
		*list = *read
	} else if other := s.otherRequirements(n); other != "" {
		s.o.Progress(Event{Type: EventWarning, Node: n.Name, Text: fmt.Sprintf(
			"%q lists packages, but nodes get only those in a %s, and there is none: write one next to it", other, requirement.File)})
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
		text, _ := untrusted.ReadFile(s.bundle.FS(), name, maxText) // a file that cannot be read fails when it is packed
		if listsPackages.Match(text) {
			return name
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
