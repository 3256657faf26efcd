package dashboard

import (
	"errors"
	"io"
	"net/http"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// configView is the page of a version's config. It never has a value.
type configView struct {
	*source.Version
	Entries []configEntry
	// Missing counts the entries without a value.
	Missing int
	// Reason is why nothing can be changed here; empty if it can.
	Reason string
	// Changed is the name that has just been changed; empty if none was.
	Changed string
	// Problem is why it is not known what is set; nil if it is.
	Problem *failure
}

// configEntry is one variable or file.
type configEntry struct {
	source.ConfigEntry
	// ID is that of the element with its state.
	ID string
}

func configPage() page {
	return page{
		name: "config", path: "config", title: "Configuration", tab: "Configuration",
		view:  func(r *request) (any, error) { return newConfigView(r) },
		live:  func(view any) []fragment { return view.(*configView).fragments() },
		posts: map[string]func(*request) (string, error){"": setConfig},
	}
}

func newConfigView(r *request) (*configView, error) {
	entries, err := r.source.Config(r.Context(), r.ref)
	v := &configView{Version: r.version}
	var refused *source.RefusedError
	if errors.As(err, &refused) {
		v.Problem = explain(err)
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		v.Entries = append(v.Entries, configEntry{e, "config:" + e.Name})
		if !e.Set {
			v.Missing++
		}
	}
	v.Changed = r.receipts.Take(r.ref, r.URL.Query().Get("changed"))
	v.Reason, err = forbidden(r, source.Configure)
	return v, err
}

func (v *configView) fragments() []fragment {
	parts := []fragment{{id: "config-state", template: "config-state", data: v}}
	for i := range v.Entries {
		parts = append(parts, fragment{id: v.Entries[i].ID, template: "config-entry", data: &v.Entries[i]})
	}
	return parts
}

// setConfig sets one value, or removes it.
func setConfig(r *request) (location string, err error) {
	name := r.PostFormValue("name")
	if r.PostFormValue("do") == "unset" {
		err = r.source.SetConfig(r.Context(), r.ref, nil, []string{name})
	} else {
		var value []byte
		if value, err = sentValue(r); err == nil {
			err = r.source.SetConfig(r.Context(), r.ref, map[string][]byte{name: value}, nil)
		}
	}
	if err != nil {
		return "", err
	}
	return r.link.Page(r.ref, "config", "changed", r.receipts.Add(r.ref, name)), nil
}

// sentValue is the value in the form: an uploaded file or what was typed.
func sentValue(r *request) ([]byte, error) {
	file, _, err := r.FormFile("upload")
	if errors.Is(err, http.ErrMissingFile) || errors.Is(err, http.ErrNotMultipart) {
		return []byte(r.PostFormValue("value")), nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file) // the whole form is bounded
}
