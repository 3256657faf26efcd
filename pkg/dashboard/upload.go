package dashboard

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// upload takes a bundle, begins to make the version, and leads to the page that shows how that
// goes on.
func (d *Dashboard) upload(w http.ResponseWriter, r *http.Request) {
	begun, err := d.begin(w, r)
	if err != nil {
		d.fail(w, err)
		return
	}
	http.Redirect(w, r, d.link.Prefix+"/create/"+begun.id, http.StatusSeeOther)
}

func (d *Dashboard) begin(w http.ResponseWriter, r *http.Request) (*creation, error) {
	if reason := d.options.Creating.reason(d.options.ReadOnly); reason != "" {
		return nil, &source.RefusedError{Refusal: source.Unavailable, Text: reason}
	}
	if _, err := d.options.Sources(r); err != nil {
		return nil, err
	}
	leave, err := d.creations.enter()
	if err != nil {
		return nil, err
	}
	begun, err := d.receive(w, r, leave)
	if err != nil {
		leave()
	}
	return begun, err
}

// receive keeps a bundle in a folder, and begins to make the version. When that has ended, the
// folder is removed, and then leave is called; not if there is an error.
func (d *Dashboard) receive(w http.ResponseWriter, r *http.Request, leave func()) (*creation, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBundle)
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, &formError{err}
	}
	folder, err := os.MkdirTemp("", "kn-krt-upload-")
	if err != nil {
		return nil, err
	}
	namespace, path, err := receive(parts, folder)
	var begun *creation
	if only := &d.options.Creating; err == nil && only.Only && namespace != only.Namespace {
		err = &source.RefusedError{Text: "This dashboard is of the namespace " + only.Namespace + " only."}
	}
	if err == nil {
		begun, err = d.creations.begin(namespace)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	go func() {
		defer leave()
		defer os.RemoveAll(folder)
		version, err := d.options.Creating.Create(Creation{Namespace: namespace, Path: path, Log: begun.log})
		begun.change(func() { begun.done, begun.version, begun.err = true, version, err })
	}()
	return begun, nil
}

// errNoBundle is the error of a form without one.
var errNoBundle = &source.RefusedError{Text: "Choose a namespace and a packed bundle: a file that ends in .krt, as kn krt pack makes it."}

// receive writes the bundle of a form into the folder; the namespace comes before it.
func receive(parts *multipart.Reader, folder string) (namespace, path string, err error) {
	for {
		part, err := parts.NextPart()
		switch {
		case err == io.EOF: // wrapped, it is of a form that ends too soon
			return "", "", errNoBundle
		case err != nil:
			return "", "", &formError{err}
		}
		switch part.FormName() {
		case "namespace":
			text, err := io.ReadAll(io.LimitReader(sent{part}, maxName))
			if err != nil {
				return "", "", err
			}
			namespace = strings.TrimSpace(string(text))
		case "bundle":
			if namespace == "" || filepath.Ext(part.FileName()) != ".krt" {
				return "", "", errNoBundle
			}
			path := filepath.Join(folder, "bundle.krt")
			return namespace, path, save(sent{part}, path)
		}
	}
}

// sent is a part of what a browser sends. An error of it is the browser's, not one of the file that
// it is written to.
type sent struct{ io.Reader }

// Read implements [io.Reader].
func (s sent) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &formError{err}
	}
	return n, err
}

func save(from io.Reader, path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, from)
	return errors.Join(err, file.Close())
}

// enter makes room for an upload, whose files are there until leave is called.
func (c *creations) enter() (leave func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return nil, &source.RefusedError{Refusal: source.Unavailable, Text: "The dashboard is ending."}
	case c.uploads >= maxUploads:
		return nil, &source.RefusedError{Text: "Other bundles are being uploaded already. Try again when one of them is ready."}
	}
	c.uploads++
	c.running.Add(1)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.uploads--
		c.running.Done()
	}, nil
}

// Close waits until no version is created any more, and the uploaded bundles are removed. Before,
// the server must have ended, and whatever Create waits for.
func (d *Dashboard) Close() {
	d.creations.mu.Lock()
	d.creations.closed = true
	d.creations.mu.Unlock()
	d.creations.running.Wait()
}
