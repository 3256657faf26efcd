package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/image/cache"
	"krt.dev/kn-krt/pkg/image/layer"
	"krt.dev/kn-krt/pkg/image/pip"
	"krt.dev/kn-krt/pkg/krt"
)

// packages are what was installed for a set of requirements.
type packages struct {
	blob       *layer.Blob
	bytecode   *layer.Blob // of blob's modules; nil without a Python that makes it
	components []component
}

// packages returns what r requires, from the requirements in file, installed once for all nodes that require the same.
func (s *session) packages(ctx context.Context, n krt.Node, file string, r pip.Set) (packages, error) {
	id, err := s.installer().ID(r)
	if err != nil {
		return packages{}, err
	}
	type key string
	return once(s.memo, key(id), func() (packages, error) {
		folder, err := s.installed(ctx, n, file, r, id)
		if err != nil {
			return packages{}, err
		}
		b, digest, err := s.layerOf(ctx, folder)
		if err != nil {
			return packages{}, err
		}
		p := packages{blob: b}
		if p.bytecode, err = s.bytecode(ctx, n, folder, digest, r.Version); err != nil {
			return packages{}, err
		}
		infos, err := filepath.Glob(filepath.Join(folder, "*.dist-info"))
		for _, info := range infos {
			name, version, _ := strings.Cut(strings.TrimSuffix(filepath.Base(info), ".dist-info"), "-")
			p.components = append(p.components, pythonComponent(name, version))
		}
		return p, err
	})
}

// layerOf returns the layer with a folder of [session.kept], and the digest of what is in it. It is found by content:
// what the same requirements come to is not the same forever.
func (s *session) layerOf(ctx context.Context, folder string) (*layer.Blob, string, error) {
	digest, err := os.ReadFile(filepath.Join(filepath.Dir(folder), contentFile))
	if err != nil {
		return nil, "", err
	}
	b, err := s.layers.Blob(ctx, "python-"+string(digest), layer.OfFolder(folder, packagesRoot))
	return b, string(digest), err
}

// bytecode returns the bytecode of the packages in folder, whose content has that digest: without it each pod
// that starts compiles what it imports. It is nil if this machine has no Python of the image's version. It is kept, as
// a registry may ask for it when it cannot be made, or not in the same way, any more.
func (s *session) bytecode(ctx context.Context, n krt.Node, folder, digest, version string) (*layer.Blob, error) {
	type key string
	python, _ := once(s.memo, key(version), func() (pip.Interpreter, error) {
		found, _ := s.installer().Matching(ctx, version)
		return found, nil
	})
	if python.Path == "" {
		return nil, nil
	}
	build := sha256.Sum256([]byte(python.Build))
	compiled, err := s.kept(ctx, fmt.Sprintf("bytecode-1-%x-%s", build[:6], digest), "compiled modules", func(to string) error {
		return python.Compile(ctx, folder, to, "/"+packagesRoot)
	})
	var b *layer.Blob
	if err == nil {
		b, _, err = s.layerOf(ctx, compiled)
	}
	if err != nil && ctx.Err() == nil {
		s.o.Progress(Event{Type: EventWarning, Node: n.Name, Text: fmt.Sprintf(
			"the packages that it requires are not compiled, so pods start later: %v", err)})
		return nil, nil
	}
	return b, err
}

// installed returns the folder with the packages of r, which has that id: what has been fetched once is the same for
// every later image, also without a network.
func (s *session) installed(ctx context.Context, n krt.Node, file string, r pip.Set, id string) (string, error) {
	return s.kept(ctx, id, "packages", func(to string) error {
		s.o.Progress(Event{Type: EventInstalling, Node: n.Name, Text: file})
		return s.installer().Install(ctx, r, to)
	})
}

// kept returns the folder that the cache has under id, which fill fills if there is none: with what, for people.
func (s *session) kept(ctx context.Context, id, what string, fill func(folder string) error) (string, error) {
	entry := s.cache.Path(cache.Packages, id)
	folder := filepath.Join(entry, "packages")
	if cache.Used(entry, time.Now()) {
		return folder, nil
	}
	made, err := os.MkdirTemp(s.work, "python-")
	if err != nil {
		return "", err
	}
	inside := filepath.Join(made, "packages")
	if err := os.Mkdir(inside, 0o700); err != nil {
		return "", err
	}
	if err := fill(inside); err != nil {
		return "", err
	}
	if err := describe(ctx, made, inside, what); err != nil {
		return "", err
	}
	if err := os.Rename(made, entry); err != nil && !cache.Used(entry, time.Now()) { // another process may have been faster
		return "", err
	}
	return folder, nil
}

// contentFile is in an entry of [session.kept] and holds the digest of its files.
const contentFile = "content"

// describe writes into the entry made how many bytes the files in folder hold, and their digest.
// More than maxPackages are an error, in which what says what the files are.
func describe(ctx context.Context, made, folder, what string) error {
	size, err := folderSize(folder)
	if err != nil {
		return err
	}
	if size > maxPackages {
		return fmt.Errorf("its %s have %d bytes; at most %d are allowed", what, size, int64(maxPackages))
	}
	sum := sha256.New()
	if err := layer.OfFolder(folder, packagesRoot)(ctx, sum); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(made, contentFile), []byte(hex.EncodeToString(sum.Sum(nil))), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(made, cache.SizeFile), []byte(strconv.FormatInt(size, 10)), 0o600)
}

// folderSize is how many bytes the files below folder hold.
func folderSize(folder string) (size int64, err error) {
	err = filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}

// installer is what installs the requirements of the bundle's nodes.
func (s *session) installer() pip.Installer {
	return pip.Installer{Bundle: s.bundle.FS(), Python: s.o.Python, Work: s.work}
}
