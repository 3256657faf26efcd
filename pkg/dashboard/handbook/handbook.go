// Package handbook is what a version's bundle says to people: its documents, its contract, and how to
// call it. Nobody has reviewed any of that.
package handbook

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing/fstest" // its MapFS is the standard library's file system in memory

	"krt.dev/kn-krt/pkg/dashboard/contract"
	"krt.dev/kn-krt/pkg/dashboard/markdown"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// First is the document that a reader begins with.
const First = "docs/README.md"

// Links are the addresses of documents and of other files, by their path in the bundle.
type Links struct{ Document, File func(path string) string }

// Page is one document, with what leads to the others.
type Page struct {
	source.Ref
	// Path is the file that is shown, and Page what it says; nil if Problem says why not, and Next what to
	// do about that.
	Path          string
	Page          *markdown.Page
	Problem, Next string
	// Documents are all texts; Other are the files that are neither texts nor images.
	Documents, Other []Link
	// First says that it is the first document, which the contract follows.
	First bool
	// Contract is what clients can call, and Calls how; ContractProblem says why they are not known.
	Contract        *contract.Contract
	Calls           []Calls
	ContractProblem string
}

// Link is a link to a file.
type Link struct {
	Name, Path string
	Current    bool
}

// Read makes the page of a document, of the first one if path is empty. What is not known of one part
// does not hide the others; the error is fs.ErrNotExist if there is no such document.
func (r *Reader) Read(ctx context.Context, from source.Authors, v *source.Version, path string, links Links) (*Page, error) {
	p := &Page{Ref: v.Ref, Path: cmp.Or(path, First)}
	p.First = p.Path == First
	files, err := from.Files(ctx, v.Ref)
	if err == nil {
		p.list(ctx, files, links)
		err = p.read(files, links)
	}
	switch {
	case err == nil:
	case !p.First && errors.Is(err, fs.ErrNotExist):
		return nil, fs.ErrNotExist
	case errors.Is(err, fs.ErrNotExist):
		p.Problem = "The bundle has no " + First + "."
	default:
		p.Problem = err.Error()
		if refused := new(source.RefusedError); errors.As(err, &refused) {
			p.Next = refused.Next
		}
	}
	if p.First {
		if files == nil {
			files = fstest.MapFS{}
		}
		r.contract(ctx, p, from, v, files)
	}
	return p, nil
}

// list lists the files of the documentation, the first document before the others.
func (p *Page) list(ctx context.Context, files fs.FS, links Links) {
	for _, name := range Names(ctx, files, Folder) {
		short := strings.TrimPrefix(name, Folder+"/")
		switch {
		case name == First:
			p.Documents = slices.Insert(p.Documents, 0, Link{short, links.Document(name), p.First})
		case isDocument(name):
			p.Documents = append(p.Documents, Link{short, links.Document(name), name == p.Path})
		case ImageType(name) == "":
			p.Other = append(p.Other, Link{short, links.File(name), false})
		}
	}
}

// read reads and renders the document.
func (p *Page) read(files fs.FS, links Links) error {
	if !isDocument(p.Path) {
		return fs.ErrNotExist
	}
	text, err := ReadBelow(files, Folder, p.Path, markdown.MaxBytes+1)
	if err != nil {
		return err
	}
	there := func(name string) bool {
		_, err := fs.Stat(files, name)
		return err == nil
	}
	p.Page, err = markdown.Render(text, p.Path, markdown.Addresses{
		Page: func(name string) string {
			switch {
			case !there(name):
				return ""
			case isDocument(name):
				return links.Document(name)
			}
			return links.File(name)
		},
		Image: func(name string) string {
			if ImageType(name) == "" || !there(name) {
				return ""
			}
			return links.File(name)
		},
	})
	return err
}
