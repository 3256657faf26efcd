package handbook

import (
	"context"
	"io/fs"
	"path"
	"strings"
	"testing/fstest" // its MapFS is the standard library's file system in memory
	"time"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/krt/example"
	"krt.dev/kn-krt/pkg/krt/untrusted"
)

const (
	// Folder is the bundle's folder of documentation.
	Folder = "docs"
	// maxListed is how many files of a bundle are listed.
	maxListed = 500
	// patience is how long a page waits for examples, which it can do without: a registry may be away.
	patience = 2 * time.Second
)

// Example is the request of a workflow that the version's author has written; empty if there is none.
func Example(ctx context.Context, from source.Authors, ref source.Ref, workflow string) string {
	return example.Read(Examples(ctx, from, ref), workflow)
}

// Examples are the files with the version's examples; none if they cannot be read, or not now.
func Examples(ctx context.Context, from source.Authors, ref source.Ref) fs.FS {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	files, err := from.Files(ctx, ref)
	if err != nil {
		return fstest.MapFS{}
	}
	return files
}

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

// ReadBelow reads up to most bytes of a file below a folder.
func ReadBelow(files fs.FS, folder, name string, most int64) ([]byte, error) {
	if !below(folder, name) {
		return nil, fs.ErrNotExist
	}
	return untrusted.ReadFile(files, name, most)
}

// OpenBelow opens a file below a folder.
func OpenBelow(files fs.FS, folder, name string) (fs.File, error) {
	if !below(folder, name) {
		return nil, fs.ErrNotExist
	}
	return untrusted.OpenFile(files, name)
}

func below(folder, name string) bool {
	return fs.ValidPath(name) && strings.HasPrefix(name, folder+"/")
}
