package gobuild

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/version"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// place is the folder, below a module's root, in which `go build` sees the SDKs.
// Nothing is written there: an overlay shows them. So a binary, which holds the paths of
// replaced modules even with -trimpath, is the same wherever the SDKs' files are.
const place = ".kn-krt-sdk"

// TestFlags returns the flags by which the go command tests the Go packages
// below t.Folder with the SDK that this program carries, whatever their
// go.mod contains, and even if there is none. They refer to files that are made in
// scratch, a folder; nothing is written in the folder or its module. The go command
// also needs GOWORK=off, because -modfile excludes workspaces.
//
// The SDK is used where it is written: go test vets what it tests, and vet enters
// the folders of packages, which an overlay does not show to it.
func TestFlags(ctx context.Context, t Target, scratch string) ([]string, error) {
	sdks, err := Carry(scratch)
	if err != nil {
		return nil, err
	}
	made, err := os.MkdirTemp(scratch, "module-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a go.mod: %w", err)
	}
	m := t.module()
	m.inPlace = true
	shown := map[string]string{}
	err = t.overlay(ctx, m, sdks, made, shown)
	var flags []string
	if err == nil {
		flags, err = m.prepare(made, sdks, shown)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot make a go.mod for %q: %w", t.Folder, err)
	}
	if len(shown) > 0 {
		flags = append(flags, "-vet=off") // the same of generated code
	}
	return flags, nil
}

// BuildFlags is [TestFlags] for go build, with SDKs that [Carry] has written before, for
// many packages. Their files are made in scratch itself, which is to be the package's
// alone. What is built depends on no folder's name.
func BuildFlags(ctx context.Context, sdks []SDK, t Target, scratch string) ([]string, error) {
	m, shown := t.module(), map[string]string{}
	if err := t.overlay(ctx, m, sdks, scratch, shown); err != nil {
		return nil, err
	}
	return m.prepare(scratch, sdks, shown)
}

// module is the Go module a node is built in.
type module struct {
	root string // folder of its go.mod, or of the package when there is none
	none bool   // there is no go.mod
	// inPlace: the SDKs are used in the folders they are in, not shown by an overlay.
	inPlace bool
}

// prepare writes into folder a go.mod and go.sum like the module's own in which
// the SDKs are replaced by our copies, and returns the flags that make the go
// command use them and see the files of more, by the paths at which it sees them. The
// user's own files are read and never written.
func (m module) prepare(folder string, sdks []SDK, more map[string]string) ([]string, error) {
	name := filepath.Join(m.root, "go.mod")
	text := []byte("module node\n\ngo " + sdkGo + "\n")
	if !m.none {
		var err error
		if text, err = os.ReadFile(name); err != nil {
			return nil, err
		}
	}
	file, err := modfile.Parse(name, text, nil)
	if err != nil {
		return nil, err
	}
	sums, err := readIfThere(filepath.Join(m.root, "go.sum"))
	if err != nil {
		return nil, err
	}
	overlay := map[string]string{}
	for _, s := range sdks {
		added, err := m.replace(file, s, overlay)
		if err != nil {
			return nil, err
		}
		sums = append(append(sums, '\n'), added...)
	}
	maps.Copy(overlay, more)
	file.Cleanup()
	text, err = file.Format()
	if err != nil {
		return nil, err
	}
	written, shown := filepath.Join(folder, "go.mod"), filepath.Join(folder, "overlay.json")
	if m.none {
		// The go command wants a go.mod in the root even though it reads -modfile.
		overlay[name] = written
	}
	hideAssembly(overlay)
	replace, err := json.Marshal(map[string]any{"Replace": overlay})
	return []string{"-mod=mod", "-modfile=" + written, "-overlay=" + shown}, errors.Join(err,
		os.WriteFile(written, text, 0o600),
		os.WriteFile(filepath.Join(folder, "go.sum"), sums, 0o600),
		os.WriteFile(shown, replace, 0o600))
}

// hideAssembly adds to overlay that the assembly of folders whose Go files are all from overlay is not there:
// usercode.Includes has not checked it, because it is of no package of the bundle.
func hideAssembly(overlay map[string]string) {
	for _, shown := range slices.Collect(maps.Keys(overlay)) {
		if filepath.Ext(shown) != ".go" {
			continue
		}
		folder := filepath.Dir(shown)
		entries, _ := os.ReadDir(folder)
		if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return filepath.Ext(e.Name()) == ".go" }) {
			continue
		}
		for _, e := range entries {
			if name := filepath.Join(folder, e.Name()); filepath.Ext(name) == ".s" {
				overlay[name] = ""
			}
		}
	}
}

// replace makes file use s, adds its files to overlay and returns its checksums. A
// replacement of the user's own for the SDK stays if its target is there: somebody works
// on the SDK itself. The original's modules are replaced whatever the user does with them.
func (m module) replace(file *modfile.File, s SDK, overlay map[string]string) (sums []byte, err error) {
	if file.Module != nil && file.Module.Mod.Path == s.path {
		return nil, nil
	}
	source, target, err := m.dropReplaces(file, s)
	if err != nil {
		return nil, err
	}
	switch {
	case target != "":
	case m.inPlace:
		target = s.folder
	default:
		if target, err = m.show(s, overlay); err != nil {
			return nil, err
		}
	}
	if err := file.AddReplace(s.path, "", target, ""); err != nil {
		return nil, err
	}
	// The go command itself requires a replaced module that is imported; the SDK's
	// own requirements have to be known first.
	if s.standIn != "" {
		return nil, nil
	}
	if err := atLeast(file, s.path, sdkVersion); err != nil {
		return nil, err
	}
	if err := raise(file, filepath.Join(source, "go.mod")); err != nil {
		return nil, err
	}
	return readIfThere(filepath.Join(source, "go.sum"))
}

// dropReplaces takes all replacements of s out of file. It returns the folder with the
// module's source and, if it is the user's own, how the user's go.mod names it.
func (m module) dropReplaces(file *modfile.File, s SDK) (source, target string, err error) {
	source = s.folder
	for _, r := range slices.Clone(file.Replace) {
		if r.Old.Path != s.path {
			continue
		}
		if own := m.ownTarget(r); s.standIn == "" && own != "" {
			source, target = own, r.New.Path
		}
		if err := file.DropReplace(s.path, r.Old.Version); err != nil {
			return "", "", err
		}
	}
	return source, target, nil
}

// show adds the files of s to overlay and returns the path, from the module's root, at
// which the go command sees them.
func (m module) show(s SDK, overlay map[string]string) (string, error) {
	at := s.shownAt()
	err := fs.WalkDir(os.DirFS(s.folder), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			overlay[filepath.Join(m.root, filepath.FromSlash(at), name)] = filepath.Join(s.folder, name)
		}
		return err
	})
	return "./" + at, err
}

// shownAt is the path, from the root of the module that uses s, at which its files are shown.
func (s SDK) shownAt() string { return path.Join(place, s.path) }

// ownTarget returns the folder that r replaces all versions of a module by, or
// "" if there is no module in it.
func (m module) ownTarget(r *modfile.Replace) string {
	folder := r.New.Path
	if !filepath.IsAbs(folder) {
		folder = filepath.Join(m.root, folder)
	}
	if _, err := os.Stat(filepath.Join(folder, "go.mod")); err != nil || r.Old.Version != "" || r.New.Version != "" {
		return ""
	}
	return folder
}

// raise raises the go directive and the requirements of file to those of the
// module it now needs, as `go get` of that module would. If this were left to the
// go command, it would read the go.mod of every module that file names, among
// them those that only the original needed and that may not be had any more.
func raise(file *modfile.File, needed string) error {
	text, err := os.ReadFile(needed)
	if err != nil {
		return err
	}
	other, err := modfile.ParseLax(needed, text, nil)
	if err != nil {
		return err
	}
	for _, r := range other.Require {
		if err := atLeast(file, r.Mod.Path, r.Mod.Version); err != nil {
			return err
		}
	}
	if other.Go == nil || file.Go != nil && version.Compare("go"+file.Go.Version, "go"+other.Go.Version) >= 0 {
		return nil
	}
	return file.AddGoStmt(other.Go.Version)
}

// atLeast makes file require version least of module, or a later one.
func atLeast(file *modfile.File, module, least string) error {
	for _, r := range file.Require {
		if r.Mod.Path == module && semver.Compare(r.Mod.Version, least) >= 0 {
			return nil
		}
	}
	return file.AddRequire(module, least)
}

func readIfThere(name string) ([]byte, error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q is not a regular file", name) // to read a pipe would block
	}
	content, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return bytes.TrimRight(content, "\n"), err
}
