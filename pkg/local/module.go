package local

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"go/version"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"

	"krt.dev/kn-krt/pkg/runner"
)

// sdkVersion is required of our modules where the user's go.mod asks for none;
// the replacement serves any version.
const sdkVersion = "v0.0.0-00010101000000-000000000000"

// sdkGo is the go directive of a module made for a node without one.
const sdkGo = "1.25.0"

// sdks returns the modules that this program carries: our own, and those of the
// original that its users' nodes name, made of folders of ours.
func sdks() []sdk {
	return []sdk{
		{path: sdkPath, source: runner.Source},
		standIn("github.com/konstellation-io/kre-runners/kre-go", "kre/kre.go"),
		standIn("github.com/konstellation-io/kre/libs/simplelogger", "kre/simplelogger/simplelogger.go"),
	}
}

// GoFlags returns the flags by which the go command builds or tests the Go
// package in folder (absolute) with the SDK that this program carries, whatever
// the package's go.mod says and even if there is none. They refer to files that
// are made in scratch, a folder; nothing is written in folder or its module. The
// go command needs GOWORK=off besides, as -modfile excludes workspaces.
func GoFlags(folder, scratch string) ([]string, error) {
	folders, err := extractAll(sdks(), scratch)
	if err != nil {
		return nil, err
	}
	made, err := os.MkdirTemp(scratch, "module-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a go.mod: %w", err)
	}
	flags, err := findModule(folder).prepare(made, folders)
	if err != nil {
		return nil, fmt.Errorf("cannot make a go.mod for %q: %w", folder, err)
	}
	return flags, nil
}

// extractAll writes the source of all below folder and returns where each is, by
// module path.
func extractAll(all []sdk, folder string) (map[string]string, error) {
	folders := map[string]string{}
	for _, s := range all {
		dir, err := s.extract(folder)
		if err != nil {
			return nil, fmt.Errorf("cannot write the source of %s: %w", s.path, err)
		}
		folders[s.path] = dir
	}
	return folders, nil
}

// sdk is a module whose source we carry, so that a node that needs it builds
// with the installed program alone.
type sdk struct {
	path   string // module path
	source fs.FS  // with its go.mod and go.sum
}

// extract writes the module's source below folder, once for each content, and
// returns where it is.
func (s sdk) extract(folder string) (string, error) {
	sum, err := s.sum()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(folder, sum)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	made, err := os.MkdirTemp(folder, ".new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(made)
	if err := os.CopyFS(made, s.source); err != nil {
		return "", err
	}
	return dir, os.Rename(made, dir)
}

func (s sdk) sum() (string, error) {
	hash := sha256.New()
	err := fs.WalkDir(s.source, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(s.source, path)
		fmt.Fprintf(hash, "%q %d\n", path, len(content))
		hash.Write(content)
		return err
	})
	return hex.EncodeToString(hash.Sum(nil)[:8]), err
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
func (m module) prepare(folder string, sdks map[string]string) ([]string, error) {
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
	for _, path := range sortedKeys(sdks) {
		more, err := m.replace(file, path, sdks[path])
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

// replace makes file use the SDK in folder and returns the SDK's checksums. A
// replacement of the user's own whose target is there stays: somebody works on
// the SDK itself.
func (m module) replace(file *modfile.File, path, folder string) (sums []byte, err error) {
	if file.Module != nil && file.Module.Mod.Path == path {
		return nil, nil
	}
	target := folder
	for _, r := range file.Replace {
		if r.Old.Path == path && r.New.Version == "" {
			own := r.New.Path
			if !filepath.IsAbs(own) {
				own = filepath.Join(m.root, own)
			}
			if _, err := os.Stat(filepath.Join(own, "go.mod")); err == nil {
				target = own
			}
		}
	}
	required := false
	for _, r := range file.Require {
		required = required || r.Mod.Path == path
	}
	if !required {
		if err := file.AddRequire(path, sdkVersion); err != nil {
			return nil, err
		}
	}
	for _, r := range file.Replace {
		if r.Old.Path == path {
			if err := file.DropReplace(path, r.Old.Version); err != nil {
				return nil, err
			}
		}
	}
	if err := file.AddReplace(path, "", target, ""); err != nil {
		return nil, err
	}
	if err := raiseGo(file, filepath.Join(target, "go.mod")); err != nil {
		return nil, err
	}
	return readIfThere(filepath.Join(target, "go.sum"))
}

// raiseGo raises the go directive of file to that of the module it now needs,
// as `go get` of that module would.
func raiseGo(file *modfile.File, needed string) error {
	text, err := os.ReadFile(needed)
	if err != nil {
		return err
	}
	other, err := modfile.ParseLax(needed, text, nil)
	if err != nil || other.Go == nil {
		return err
	}
	if file.Go != nil && version.Compare("go"+file.Go.Version, "go"+other.Go.Version) >= 0 {
		return nil
	}
	return file.AddGoStmt(other.Go.Version)
}

func readIfThere(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return bytes.TrimRight(content, "\n"), err
}
