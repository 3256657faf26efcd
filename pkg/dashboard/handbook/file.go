package handbook

import (
	"context"
	"io/fs"
	"path"
	"strings"

	"krt.dev/kn-krt/pkg/krt/untrusted"
)

const (
	// folder is the bundle's folder of documentation.
	folder = "docs"
	// maxListed is how many files of a bundle are listed.
	maxListed = 500
)

func isDocument(name string) bool { return strings.EqualFold(path.Ext(name), ".md") }

// ImageType is the media type of an image that documents may contain; "" for another file.
func ImageType(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".png":
		return "image/png"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".gif":
		return "image/gif"
	case ".webp":
		return "image/webp"
	case ".svg":
		return "image/svg+xml"
	}
	return ""
}

// Names are the paths of the files below a folder, at most 500; none if it is not there.
func Names(ctx context.Context, files fs.FS, folder string) (names []string) {
	_ = fs.WalkDir(files, folder, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || ctx.Err() != nil || len(names) == maxListed:
			return fs.SkipAll
		case entry.Type().IsRegular():
			names = append(names, name)
		}
		return nil
	})
	return names
}

// Document reads up to most bytes of a file of the documentation.
func Document(files fs.FS, name string, most int64) ([]byte, error) {
	return Below(files, folder, name, most)
}

// Below reads up to most bytes of a file below a folder.
func Below(files fs.FS, folder, name string, most int64) ([]byte, error) {
	if !fs.ValidPath(name) || !strings.HasPrefix(name, folder+"/") {
		return nil, fs.ErrNotExist
	}
	return untrusted.ReadFile(files, name, most)
}
