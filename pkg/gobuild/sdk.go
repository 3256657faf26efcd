package gobuild

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"krt.dev/kn-krt/pkg/runner"
)

const (
	sdkPath = "krt.dev/kn-krt/pkg/runner"
	// sdkVersion is required of our modules where the user's go.mod asks for none;
	// the replacement serves any version.
	sdkVersion = "v0.0.0-00010101000000-000000000000"
	// sdkGo is the go directive of a module that is made here.
	sdkGo = "1.25.0"
)

// sdk is a module whose source we carry, so that a node that needs it builds
// with the installed program alone.
type sdk struct {
	path   string // module path
	source fs.FS
	// standIn is the go.mod of a module of ours in the place of one of the
	// original's; "" for the SDK itself, whose go.mod is in source.
	standIn string
}

// SDK is a module that this program carries, its source written into a folder.
type SDK struct {
	sdk
	folder string
}

// sdks returns the modules that this program carries: the SDK, and those by which
// the nodes of the original's users build unchanged.
func sdks() ([]sdk, error) {
	all := []sdk{{path: sdkPath, source: runner.Source}}
	for _, s := range []struct{ path, folder string }{
		{"github.com/konstellation-io/kre-runners/kre-go", "kre"},
		{"github.com/konstellation-io/kre/runners/kre-go", "kre"},         // until November 2020
		{"github.com/konstellation-io/kre/runtime-runners/kre-go", "kre"}, // until July 2020
		{"gitlab.com/konstellation/kre/runtime-runners/kre-go", "kre"},    // until June 2020
		{"github.com/konstellation-io/kre/libs/simplelogger", "kre/simplelogger"},
		{"gitlab.com/konstellation/kre/libs/simplelogger", "kre/simplelogger"}, // until June 2020
	} {
		source, err := fs.Sub(runner.Source, s.folder)
		if err != nil {
			return nil, err
		}
		gomod := fmt.Sprintf("module %s\n\ngo %s\n\nrequire %s %s\n", s.path, sdkGo, sdkPath, sdkVersion)
		all = append(all, sdk{path: s.path, source: source, standIn: gomod})
	}
	return all, nil
}

// Carry writes the modules that this program carries below folder, which exists, once
// for each content: the SDK, and those by which the nodes of the original's users build
// unchanged.
func Carry(folder string) ([]SDK, error) {
	all, err := sdks()
	if err != nil {
		return nil, err
	}
	written := make([]SDK, len(all))
	for i, s := range all {
		dir, err := s.extract(folder)
		if err != nil {
			return nil, fmt.Errorf("cannot write the source of %s: %w", s.path, err)
		}
		written[i] = SDK{sdk: s, folder: dir}
	}
	return written, nil
}

// extract writes the module's source below folder, once for each content, and
// returns where it is.
func (s sdk) extract(folder string) (string, error) {
	sum, err := s.sum()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(folder, sum)
	if now := time.Now(); os.Chtimes(dir, now, now) == nil { // in a cache, what was not used for long goes first
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
	if s.standIn != "" {
		if err := os.WriteFile(filepath.Join(made, "go.mod"), []byte(s.standIn), 0o600); err != nil {
			return "", err
		}
	}
	err = os.Rename(made, dir)
	if _, there := os.Stat(dir); there == nil {
		return dir, nil // another process was faster
	}
	return dir, err
}

func (s sdk) sum() (string, error) {
	hash := sha256.New()
	fmt.Fprintf(hash, "%q\n", s.standIn)
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
