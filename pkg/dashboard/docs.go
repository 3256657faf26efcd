package dashboard

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/handbook"
)

func docsPage() page {
	return page{
		name: "docs", path: "docs", title: "Documentation", tab: "Documentation",
		view: func(r *request) (any, error) {
			page, err := r.handbook.Read(r.Context(), r.source, r.version, r.URL.Query().Get("file"), handbook.Links{
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

// docsFile sends a file of the documentation.
func docsFile(w http.ResponseWriter, r *request) error {
	name := r.URL.Query().Get("name")
	files, err := r.source.Files(r.Context(), r.ref)
	if err != nil {
		return err
	}
	return sendFile(w, r, handbook.Folder, name, files)
}

// sendFile sends a file that nobody has reviewed, as it is read: an image to be shown, anything else to
// be saved. As a page of its own it may run nothing and load nothing, whatever it is: an SVG is a
// document with scripts.
func sendFile(w http.ResponseWriter, r *request, folder, name string, files fs.FS) error {
	file, err := handbook.OpenBelow(files, folder, name)
	if err != nil {
		return errNoPage
	}
	defer file.Close()
	content, ok := file.(io.ReadSeeker)
	if !ok {
		return errNoPage
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'")
	mediaType := handbook.ImageType(name)
	if mediaType == "" {
		mediaType = "application/octet-stream"
		h.Set("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(path.Base(name)))
	}
	h.Set("Content-Type", mediaType)
	http.ServeContent(w, r.Request, name, time.Time{}, content)
	return nil
}
