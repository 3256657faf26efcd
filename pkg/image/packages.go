package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
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
		// By content: what the same requirements come to is not the same forever.
		digest, err := os.ReadFile(filepath.Join(filepath.Dir(folder), contentFile))
		if err != nil {
			return packages{}, err
		}
		b, err := s.layers.Blob(ctx, "python-"+string(digest), layer.OfFolder(folder, packagesRoot))
		if err != nil {
			return packages{}, err
		}
		p := packages{blob: b}
		if p.bytecode, err = s.bytecode(ctx, n, folder, string(digest), r.Version); err != nil {
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

// bytecode returns the bytecode of the packages in folder, whose content has that digest: without it each pod
// that starts compiles what it imports. It is nil if this machine has no Python of the image's version.
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
	b, err := s.layers.Blob(ctx, fmt.Sprintf("bytecode-%x-%s", build[:6], digest), func(ctx context.Context, w io.Writer) error {
		to, err := os.MkdirTemp(s.work, "bytecode-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(to)
		if err := python.Compile(ctx, folder, to, "/"+packagesRoot); err != nil {
			return err
		}
		return layer.OfFolder(to, packagesRoot)(ctx, w)
	})
	if err != nil && ctx.Err() == nil {
		s.o.Progress(Event{Type: EventWarning, Node: n.Name, Text: fmt.Sprintf(
			"the packages that it requires are not compiled, so pods start later: %v", err)})
		return nil, nil
	}
	return b, err
}

// installed returns the folder with the packages of r, which has that id. It is kept: what has been fetched
// once is the same for every later image, also without a network.
func (s *session) installed(ctx context.Context, n krt.Node, file string, r pip.Set, id string) (string, error) {
	entry := s.cache.Path(cache.Packages, id)
	folder := filepath.Join(entry, "packages")
	if cache.Used(entry, time.Now()) {
		return folder, nil
	}
	s.o.Progress(Event{Type: EventInstalling, Node: n.Name, Text: file})
	made, err := os.MkdirTemp(s.work, "python-")
	if err != nil {
		return "", err
	}
	inside := filepath.Join(made, "packages")
	if err := os.Mkdir(inside, 0o700); err != nil {
		return "", err
	}
	if err := s.installer().Install(ctx, r, inside); err != nil {
		return "", err
	}
	if err := describe(ctx, made, inside); err != nil {
		return "", err
	}
	if err := os.Rename(made, entry); err != nil && !cache.Used(entry, time.Now()) { // another process may have been faster
		return "", err
	}
	return folder, nil
}

// contentFile is in an entry of packages and holds the digest of their files.
const contentFile = "content"

// describe writes into the entry made how many bytes the packages in folder hold, and their digest.
func describe(ctx context.Context, made, folder string) error {
	size, err := folderSize(folder)
	if err != nil {
		return err
	}
	if size > maxPackages {
		return fmt.Errorf("its packages have %d bytes; at most %d are allowed", size, int64(maxPackages))
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
