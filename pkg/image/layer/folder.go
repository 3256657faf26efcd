package layer

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
)

// OfFolder returns the content of a layer with all files below folder, under the name to.
func OfFolder(folder, to string) Content {
	return func(ctx context.Context, w io.Writer) error {
		root, err := os.OpenRoot(folder)
		if err != nil {
			return err
		}
		defer root.Close()
		t := NewTree(ctx, w)
		if err := t.Folder(to); err != nil { // there may be nothing in it
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
			return t.File(path.Join(to, name), file, info.Mode()&0o111 != 0)
		})
		return errors.Join(err, t.Close())
	}
}
