package local

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/version"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// GoFlags returns the flags by which the go command builds or tests the Go
// package in folder (absolute) with the SDK that this program carries, whatever
// the package's go.mod says and even if there is none. They refer to files that
// are made in scratch, a folder; nothing is written in folder or its module. The
// go command needs GOWORK=off besides, as -modfile excludes workspaces.
func GoFlags(folder, scratch string) ([]string, error) {
	sdks, err := carry(scratch)
	if err != nil {
		return nil, err
	}
	made, err := os.MkdirTemp(scratch, "module-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a go.mod: %w", err)
	}
	flags, err := findModule(folder).prepare(made, sdks)
	if err != nil {
		return nil, fmt.Errorf("cannot make a go.mod for %q: %w", folder, err)
	}
	return flags, nil
}

// module is the Go module a node is built in.
type module struct {
	root string // folder of its go.mod, or of the package when there is none
	none bool   // there is no go.mod
}

// findModule returns the module of the package in folder, as the go command
// would: that of the nearest go.mod in folder or above.
func findModule(folder string) module {
	for dir := folder; ; dir = filepath.Dir(dir) {
		if info, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil && info.Mode().IsRegular() {
			return module{root: dir}
		}
		if dir == filepath.Dir(dir) {
			return module{root: folder, none: true}
		}
	}
}

// prepare writes into folder a go.mod and go.sum like the module's own in which
// the SDKs are replaced by our copies, and returns the flags that make the go
// command use them. The user's own files are read and never written.
func (m module) prepare(folder string, sdks []carried) ([]string, error) {
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
	for _, s := range sdks {
		more, err := m.replace(file, s)
		if err != nil {
			return nil, err
		}
		sums = append(append(sums, '\n'), more...)
	}
	file.Cleanup()
	text, err = file.Format()
	if err != nil {
		return nil, err
	}
	written := filepath.Join(folder, "go.mod")
	flags := []string{"-mod=mod", "-modfile=" + written}
	err = errors.Join(os.WriteFile(written, text, 0o600), os.WriteFile(filepath.Join(folder, "go.sum"), sums, 0o600))
	if err != nil || !m.none {
		return flags, err
	}
	// The go command wants a go.mod in the root even though it reads -modfile.
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{name: written}})
	if err != nil {
		return nil, err
	}
	path := filepath.Join(folder, "overlay.json")
	return append(flags, "-overlay="+path), os.WriteFile(path, overlay, 0o600)
}

// replace makes file use s and returns its checksums. A replacement of the
// user's own for the SDK stays if its target is there: somebody works on the SDK
// itself. The original's modules are replaced whatever the user does with them.
func (m module) replace(file *modfile.File, s carried) (sums []byte, err error) {
	if file.Module != nil && file.Module.Mod.Path == s.path {
		return nil, nil
	}
	target := s.folder
	for _, r := range slices.Clone(file.Replace) {
		if r.Old.Path != s.path {
			continue
		}
		if own := m.ownTarget(r); s.standIn == "" && own != "" {
			target = own
		}
		if err := file.DropReplace(s.path, r.Old.Version); err != nil {
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
	if err := raise(file, filepath.Join(target, "go.mod")); err != nil {
		return nil, err
	}
	return readIfThere(filepath.Join(target, "go.sum"))
}

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

// atLeast makes file require version least of path, or a later one.
func atLeast(file *modfile.File, path, least string) error {
	for _, r := range file.Require {
		if r.Mod.Path == path && semver.Compare(r.Mod.Version, least) >= 0 {
			return nil
		}
	}
	return file.AddRequire(path, least)
}

func readIfThere(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return bytes.TrimRight(content, "\n"), err
}
