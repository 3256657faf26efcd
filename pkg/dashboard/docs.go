package dashboard

import (
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"path"

	"krt.dev/kn-krt/pkg/dashboard/handbook"
)

// maxRaw is how many bytes of a file are sent.
const maxRaw = 16 << 20

func docsPage() page {
	return page{
		name: "docs", path: "docs", title: "Documentation", tab: "Documentation",
		view: func(r *request) (any, error) {
			page, err := handbook.Read(r.Context(), r.source, r.version, r.URL.Query().Get("file"), handbook.Links{
				Document: func(name string) string {
					if name == handbook.First {
						name = ""
					}
					return r.link.Page(r.ref, "docs", "file", name)
				},
				File: func(name string) string { return r.link.Page(r.ref, "docs/file", "name", name) },
			})
			if errors.Is(err, fs.ErrNotExist) {
				err = errNoPage
			}
			return page, err
		},
		files: map[string]func(http.ResponseWriter, *request) error{"file": docsFile},
	}
}

// docsFile sends a file of the documentation: an image to be shown, anything else to be saved.
func docsFile(w http.ResponseWriter, r *request) error {
	name := r.URL.Query().Get("name")
	files, err := r.source.Files(r.Context(), r.ref)
	if err != nil {
		return err
	}
	content, err := handbook.Document(files, name, maxRaw)
	if err != nil {
		return errNoPage
	}
	sendFile(w, name, handbook.ImageType(name), content)
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
