package dashboard

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/dashboard/markdown"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/krt/untrusted"
)

const (
	// firstDocument is what the page of the documentation begins with.
	firstDocument = "docs/README.md"
	// maxListed is how many files of a bundle are listed.
	maxListed = 500
	// maxRaw is how many bytes a file that is not shown as a page may have.
	maxRaw = 16 << 20
)

// docsView is the page of a version's documentation.
type docsView struct {
	source.Ref
	// Path is the file that is shown, and Page what it says; nil if Problem says why not.
	Path    string
	Page    *markdown.Page
	Problem string
	// Documents are all texts; Other are the files that are not, nor images.
	Documents, Other []docFile
	// Contract and Calls follow the first document; ContractProblem says why they are not known.
	First           bool
	Contract        *contractView
	Calls           []workflowCalls
	ContractProblem string
}

// docFile is a link to a file.
type docFile struct {
	Name, Path string
	Current    bool
}

func docsPage() page {
	return page{
		name: "docs", path: "docs", title: "Documentation", tab: "Documentation",
		view:  func(r *request) (any, error) { return docs(r) },
		files: map[string]func(http.ResponseWriter, *request) error{"file": docsFile},
	}
}

// docs makes the view. What is not known of one part does not hide the others.
func docs(r *request) (*docsView, error) {
	v := &docsView{Ref: r.ref, Path: cmp.Or(r.URL.Query().Get("file"), firstDocument)}
	v.First = v.Path == firstDocument
	files, err := r.source.Files(r.Context(), r.ref)
	if err == nil {
		v.list(r, files)
		err = v.read(r, files)
	}
	switch {
	case err == nil:
	case !v.First && errors.Is(err, fs.ErrNotExist):
		return nil, errNoPage
	case errors.Is(err, fs.ErrNotExist):
		v.Problem = "The bundle has no " + firstDocument + "."
	default:
		v.Problem = err.Error()
	}
	if v.First {
		v.contract(r)
	}
	return v, nil
}

// list lists the files of the documentation.
func (v *docsView) list(r *request, files fs.FS) {
	for _, name := range namesBelow(r.Context(), files, "docs") {
		switch {
		case isDocument(name):
			v.Documents = append(v.Documents, docFile{strings.TrimPrefix(name, "docs/"), r.document(name), name == v.Path})
		case imageType(name) == "":
			v.Other = append(v.Other, docFile{strings.TrimPrefix(name, "docs/"), r.rawFile(name), false})
		}
	}
	first := func(f docFile) int {
		if f.Name == "README.md" {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(v.Documents, func(a, b docFile) int { return first(a) - first(b) })
}

// read reads and renders the document.
func (v *docsView) read(r *request, files fs.FS) error {
	if !isDocument(v.Path) {
		return fs.ErrNotExist
	}
	text, err := readDocs(files, v.Path, markdown.MaxBytes+1)
	if err != nil {
		return err
	}
	there := func(name string) bool {
		_, err := fs.Stat(files, name)
		return err == nil
	}
	v.Page, err = markdown.Render(text, v.Path, markdown.Addresses{
		Page: func(name string) string {
			switch {
			case !there(name):
				return ""
			case isDocument(name):
				return r.document(name)
			}
			return r.rawFile(name)
		},
		Image: func(name string) string {
			if imageType(name) == "" || !there(name) {
				return ""
			}
			return r.rawFile(name)
		},
	})
	return err
}

// document is the page of a text, rawFile the file itself.
func (r *request) document(name string) string {
	if name == firstDocument {
		name = ""
	}
	return r.link.Page(r.ref, "docs", "file", name)
}

func (r *request) rawFile(name string) string { return r.link.Page(r.ref, "docs/file", "name", name) }

func isDocument(name string) bool { return strings.EqualFold(path.Ext(name), ".md") }

// imageType is the media type of an image that pages may contain; "" for another file.
func imageType(name string) string {
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

// namesBelow are the paths of the files below a folder, at most maxListed; none if it is not there.
func namesBelow(ctx context.Context, files fs.FS, folder string) (names []string) {
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

// readDocs reads a file below docs/.
func readDocs(files fs.FS, name string, most int64) ([]byte, error) {
	if !fs.ValidPath(name) || !strings.HasPrefix(name, "docs/") {
		return nil, fs.ErrNotExist
	}
	return untrusted.ReadFile(files, name, most)
}

// docsFile sends a file of the documentation: an image to be shown, anything else to be saved.
func docsFile(w http.ResponseWriter, r *request) error {
	name := r.URL.Query().Get("name")
	files, err := r.source.Files(r.Context(), r.ref)
	if err != nil {
		return err
	}
	content, err := readDocs(files, name, maxRaw)
	if err != nil {
		return errNoPage
	}
	sendFile(w, name, imageType(name), content)
	return nil
}

// sendFile sends a file that nobody has reviewed. As a page of its own it may run nothing and load
// nothing, whatever it is: an SVG is a document with scripts.
func sendFile(w http.ResponseWriter, name, mediaType string, content []byte) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'")
	if mediaType == "" {
		mediaType = "application/octet-stream"
		h.Set("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(path.Base(name)))
	}
	h.Set("Content-Type", mediaType)
	_, _ = w.Write(content)
}
