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
	"strconv"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/krt"
)

// packages are what was installed for a set of requirements.
type packages struct {
	blob       *blob
	components []component
}

// packages returns what r requires, installed once for all nodes that require the same.
func (s *session) packages(ctx context.Context, n krt.Node, r requirementSet) (packages, error) {
	id, err := s.identify(r)
	if err != nil {
		return packages{}, err
	}
	type key string
	return once(s.memo, key(id), func() (packages, error) {
		folder, err := s.installed(ctx, n, r, id)
		if err != nil {
			return packages{}, err
		}
		// By content: what the same requirements come to is not the same for ever.
		digest, err := os.ReadFile(filepath.Join(filepath.Dir(folder), contentFile))
		if err != nil {
			return packages{}, err
		}
		b, err := s.blob(ctx, "python-"+string(digest), folderContent(folder))
		if err != nil {
			return packages{}, err
		}
		infos, err := filepath.Glob(filepath.Join(folder, "*.dist-info"))
		p := packages{blob: b}
		for _, info := range infos {
			name, version, _ := strings.Cut(strings.TrimSuffix(filepath.Base(info), ".dist-info"), "-")
			p.components = append(p.components, pythonComponent(name, version))
		}
		return p, err
	})
}

// installed returns the folder with the packages of r. It is kept: what has been fetched
// once is the same for every later image, also without a network.
func (s *session) installed(ctx context.Context, n krt.Node, r requirementSet, id string) (string, error) {
	entry := filepath.Join(s.o.Cache, cachedPackages, id)
	folder := filepath.Join(entry, "packages")
	if used(entry, time.Now()) {
		return folder, nil
	}
	s.o.Progress(Event{Type: EventInstalling, Node: n.Name, Text: r.file})
	made, err := os.MkdirTemp(s.work, "python-")
	if err != nil {
		return "", err
	}
	inside := filepath.Join(made, "packages")
	if err := os.Mkdir(inside, 0o700); err != nil {
		return "", err
	}
	if err := s.install(ctx, r, inside); err != nil {
		return "", err
	}
	if err := tidy(inside); err != nil {
		return "", err
	}
	if err := describe(ctx, made, inside); err != nil {
		return "", err
	}
	if err := os.Rename(made, entry); err != nil && !used(entry, time.Now()) { // another process may have been faster
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
		return fmt.Errorf("its packages are %d bytes large, and may be %d", size, int64(maxPackages))
	}
	sum := sha256.New()
	if err := folderContent(folder)(ctx, sum); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(made, contentFile), []byte(hex.EncodeToString(sum.Sum(nil))), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(made, sizeFile), []byte(strconv.FormatInt(size, 10)), 0o600)
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
