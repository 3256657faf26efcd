package dashboard

import (
	"net/url"
	"regexp"
	"strings"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// requestIDs are ids that have a page: entrypoints make them of hexadecimal digits.
var requestIDs = regexp.MustCompile(`^[A-Za-z0-9_-]{0,64}[0-9][A-Za-z0-9_-]{0,64}$`)

// linker makes all links of the dashboard. Templates have it as functions: versions, table, page,
// action and asset.
type linker struct {
	prefix string
	assets string // their digest
	traces TraceLink
	one    bool // see [Options.One]
}

// Versions is the path of the first page.
func (l linker) Versions() string { return l.prefix + "/" }

// everything is the value of the query's "all" that shows the table of versions where there is one
// version only; empty if it is shown anyway.
func (l linker) everything() string {
	if l.one {
		return "1"
	}
	return ""
}

// Table is the path of the table of versions.
func (l linker) Table() string { return withQuery(l.Versions(), []string{"all", l.everything()}) }

// Page is the path of a page of the version, "" for its first one; below it is unescaped, such as
// "requests" or "requests/4f1a". The pairs are names and values of the query; those without a value
// are left out.
func (l linker) Page(ref source.Ref, below string, pairs ...string) string {
	path := l.prefix + "/ns/" + url.PathEscape(ref.Namespace) + "/versions/" + url.PathEscape(ref.Name)
	if below != "" {
		parts := strings.Split(below, "/")
		for i := range parts {
			parts[i] = url.PathEscape(parts[i])
		}
		path += "/" + strings.Join(parts, "/")
	}
	return withQuery(path, pairs)
}

// Request is the path of the page of a request; empty for what is no id of one: a line of a log may
// have any text, and one such as "../actions" would lead to another page.
func (l linker) Request(ref source.Ref, id string) string {
	if !requestIDs.MatchString(id) {
		return ""
	}
	return l.Page(ref, "requests/"+id)
}

// Action is the path that asks to confirm the action.
func (l linker) Action(ref source.Ref, action source.Action) string {
	return l.Page(ref, "actions/"+string(action))
}

// Asset is the path of an embedded file.
func (l linker) Asset(name string) string { return l.prefix + "/assets/" + l.assets + "/" + name }

// withQuery appends pairs of names and values to a path.
func withQuery(path string, pairs []string) string {
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
