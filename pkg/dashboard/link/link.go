// Package link makes all links of the dashboard, and those to the pages of traces.
package link

import (
	"net/url"
	"regexp"
	"strings"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// requestIDs are ids that have a page: entrypoints make them of hexadecimal digits.
var requestIDs = regexp.MustCompile(`^[A-Za-z0-9_-]{0,64}[0-9][A-Za-z0-9_-]{0,64}$`)

// Links makes all links of the dashboard. Templates have it as functions: versions, table, page,
// action and asset.
type Links struct {
	// Prefix is the path that all begin with, without a slash at its end; Assets the digest of the
	// embedded files.
	Prefix, Assets string
	// Traces makes the links to the pages of traces.
	Traces Trace
	// One says that there is one version: its page is the first one.
	One bool
}

// Versions is the path of the first page.
func (l Links) Versions() string { return l.Prefix + "/" }

// Everything is the value of the query's "all" that shows the table of versions where there is one
// version only; empty if it is shown anyway.
func (l Links) Everything() string {
	if l.One {
		return "1"
	}
	return ""
}

// Table is the path of the table of versions.
func (l Links) Table() string { return WithQuery(l.Versions(), []string{"all", l.Everything()}) }

// Page is the path of a page of the version, "" for its first one; below it is unescaped, such as
// "requests" or "requests/4f1a". The pairs are names and values of the query; those without a value
// are left out.
func (l Links) Page(ref source.Ref, below string, pairs ...string) string {
	path := l.Prefix + "/ns/" + url.PathEscape(ref.Namespace) + "/versions/" + url.PathEscape(ref.Name)
	if below != "" {
		parts := strings.Split(below, "/")
		for i := range parts {
			parts[i] = url.PathEscape(parts[i])
		}
		path += "/" + strings.Join(parts, "/")
	}
	return WithQuery(path, pairs)
}

// Request is the path of the page of a request; empty for what is no id of one: a line of a log may
// have any text, and one such as "../actions" would lead to another page.
func (l Links) Request(ref source.Ref, id string) string {
	if !requestIDs.MatchString(id) {
		return ""
	}
	return l.Page(ref, "requests/"+id)
}

// Action is the path that asks to confirm the action.
func (l Links) Action(ref source.Ref, action source.Action) string {
	return l.Page(ref, "actions/"+string(action))
}

// Asset is the path of an embedded file.
func (l Links) Asset(name string) string { return l.Prefix + "/assets/" + l.Assets + "/" + name }

// WithQuery appends pairs of names and values to a path.
func WithQuery(path string, pairs []string) string {
	query := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Add(pairs[i], pairs[i+1])
		}
	}
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}
