package dashboard

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/sourcetest"
)

// rowOf finds the names of the versions in the table.
var rowOf = regexp.MustCompile(`<tr id="v:team/([^"]+)"`)

func names(page string) (all []string) {
	for _, match := range rowOf.FindAllStringSubmatch(page, -1) {
		all = append(all, match[1])
	}
	return all
}

func TestVersions(t *testing.T) {
	failed := example("b-1", source.Failed)
	failed.Created = failed.Created.AddDate(0, 0, 1)
	for i := range 5 {
		failed.Nodes = append(failed.Nodes, source.Node{Name: fmt.Sprint("n", i), State: source.Failed})
	}
	server := serve(t, sourcetest.New(example("a-1", source.Ready), failed, publishedExample("c-1"), example("d-1", source.Stopped)))
	for query, want := range map[string][]string{
		"":                  {"a-1", "b-1", "c-1", "d-1"},
		"?q=B-1":            {"b-1"},
		"?q=prices":         {"a-1", "b-1", "c-1", "d-1"},
		"?state=ready":      {"a-1", "c-1"},
		"?published=1":      {"c-1"},
		"?ns=other":         nil,
		"?sort=phase":       {"b-1", "c-1", "a-1", "d-1"},
		"?sort=age":         {"b-1", "a-1", "c-1", "d-1"},
		"?sort=published":   {"c-1", "a-1", "b-1", "d-1"},
		"?sort=bogus&q=-1":  {"a-1", "b-1", "c-1", "d-1"},
		"?state=ready&q=%2": {"a-1", "c-1"}, // a query that cannot be read is left out
	} {
		status, page := get(t, server, "/"+query)
		require.Equal(t, http.StatusOK, status)
		require.Equalf(t, want, names(page), "%q", query)
	}
	_, page := get(t, server, "/")
	require.Contains(t, page, `<option value="asleep">Asleep</option>`)
	require.Contains(t, page, `<span class="number">2/2</span>`)
	require.Contains(t, page, `<span class="number">1/7</span>`)
	require.Contains(t, page, "and 3 more")
}

func TestVersionsShowTheirLoads(t *testing.T) {
	busy, idle := example("a-1", source.Ready), example("b-1", source.Ready)
	m := sourcetest.New(busy, idle, example("c-1", source.Ready))
	m.Used = source.Loads{Note: hostile, Of: map[source.Ref]source.Load{
		busy.Ref: {PerSecond: 12, Errors: 0.5, P95: 34 * time.Millisecond}, idle.Ref: {},
	}}
	_, page := get(t, serve(t, m), "/")
	a, rest, _ := strings.Cut(page[strings.Index(page, `<tr id="v:team/a-1"`):], "</tr>")
	b, c, _ := strings.Cut(rest, "</tr>")
	require.Contains(t, a, `<td data-label="Requests" class="number">12/s</td>`)
	require.Contains(t, a, "<span>0.5/s</span>")
	require.Contains(t, a, `<td data-label="95 % within" class="number">34`+"\u00a0ms</td>")
	require.Contains(t, b, `<td data-label="Requests" class="number">0</td>`)
	require.Contains(t, c, `<td data-label="Requests" class="number"></td>`)
	requireNoMarkup(t, "/", page)
}

func TestVersionsAreBounded(t *testing.T) {
	m := sourcetest.New()
	for i := range maxRows + 10 {
		m.Set(example(fmt.Sprintf("v-%d", i), source.Ready))
	}
	_, page := get(t, serve(t, m), "/")
	require.Len(t, names(page), maxRows)
	require.Contains(t, page, "the first 500 of 510 that match, of 510")
}

// evil is a version all of whose texts are hostile.
func evil() source.Version {
	v := example("a-1", source.Failed)
	v.Description, v.Comment, v.Phase, v.Cause, v.Next, v.Delivery = hostile, hostile, hostile, hostile, hostile, hostile
	v.State, v.Address, v.Web = source.State(hostile), hostile, "javascript:alert(1)"
	v.Nodes[0] = source.Node{
		Name: hostile, State: source.State(hostile), Reason: hostile, Cause: hostile, Next: hostile,
		Image: hostile, Revision: hostile, Source: hostile,
	}
	v.Workflows[0] = source.Workflow{Name: hostile, Method: hostile, Nodes: []string{hostile}}
	v.Workflows[0].State, v.Workflows[0].Reason, v.Workflows[0].Cause = source.State(hostile), hostile, hostile
	return v
}

func TestHostileTextsAreText(t *testing.T) {
	m := sourcetest.New(evil(), source.Version{Ref: source.Ref{Namespace: hostile, Name: hostile}})
	m.Reasons = map[source.Action]string{source.Start: hostile, source.Stop: hostile, source.Delete: hostile}
	m.Declared = []source.ConfigEntry{{Name: hostile}, {Name: hostile + "f", File: true}}
	m.Past = source.History{
		Events: []source.Event{{What: hostile, Comment: hostile}}, Publications: []source.Publication{{Version: hostile, Comment: hostile}},
	}
	m.Refuse = &source.RefusedError{Text: hostile, Next: hostile}
	server := serve(t, m, func(o *Options) { o.Title, o.Notice = hostile, hostile })
	paths := []string{"/", "/?q=" + urlHostile, "/nothing/" + urlHostile, "/ns/team/versions/" + urlHostile, atA + "?asked=" + urlHostile}
	for _, p := range pages() {
		if !p.top && !strings.Contains(p.path, "{") {
			paths = append(paths, strings.TrimSuffix(atA+"/"+p.path, "/"))
		}
	}
	for _, known := range actionTexts {
		paths = append(paths, atA+"/actions/"+string(known.action))
	}
	for _, path := range paths {
		_, page := get(t, server, path)
		require.Containsf(t, page, "</html>", "%s", path)
		requireNoMarkup(t, path, page)
	}
	_, page := post(t, server, atA+"/actions/stop", nil)
	requireNoMarkup(t, "refusal", page)
}

// Characters that change the direction of text would let a text pass for another one.
func TestTextsKeepTheirDirection(t *testing.T) {
	const text = "a \u202eb\u2066 \x1b[31mc"
	v := example("a-1", source.Failed)
	v.Description, v.Comment, v.Cause, v.Nodes[0].State, v.Nodes[0].Cause = text, text, text, source.Failed, text
	v.Workflows[0].Cause = text
	m := sourcetest.New(v)
	m.Past = source.History{
		Events: []source.Event{{What: "Started", Comment: text}}, Publications: []source.Publication{{Version: "a-1", Comment: text}},
	}
	server := serve(t, m)
	for _, path := range []string{"/", atA, atA + "/history", atA + "?asked=" + v.Nodes[0].Name} {
		_, page := get(t, server, path)
		require.Containsf(t, page, `a \u202eb\u2066 \x1b[31mc`, "%s", path)
		require.NotRegexpf(t, "[\u202e\u2066\x1b]", page, "%s", path)
	}
}

// urlHostile is a hostile text for paths and queries.
const urlHostile = `%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E%3Cimg%20src%3Dx%20onerror%3Dalert(2)%3E`

// handlers finds what runs or styles inline: also what the policy would stop must not be there.
var handlers = regexp.MustCompile(`(?i)<script>|<img|<[^>"]*("[^"]*"[^>"]*)*\s(on\w+|style)\s*=|href="javascript:`)

// fields finds what only programs read, and the values of fields, which are sent back as they are.
var fields = regexp.MustCompile(`(?s)\s(value|id|for|class|name|aria-describedby)="[^"]*"|<textarea.*?</textarea>`)

func requireNoMarkup(t *testing.T, path, page string) {
	t.Helper()
	require.Emptyf(t, handlers.FindString(page), "%s", path)
	require.NotContainsf(t, fields.ReplaceAllString(page, ""), "\u202e", "%s", path)
}

func TestHeaders(t *testing.T) {
	server := serve(t, sourcetest.New(example("a-1", source.Ready)))
	for _, path := range []string{"/", atA, "/nothing", "/assets/x/app.css", atA + "/actions/stop"} {
		response, err := server.Client().Get(server.URL + "/_krt" + path)
		require.NoError(t, err)
		read(t, response)
		for name, want := range map[string]string{
			"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			require.Equalf(t, want, response.Header.Get(name), "%s of %s", name, path)
		}
		policy := response.Header.Get("Content-Security-Policy")
		require.Containsf(t, policy, "default-src 'none'; script-src 'self'; style-src 'self'", "%s", path)
	}
	_, page := get(t, server, "/")
	asset := regexp.MustCompile(`/_krt(/assets/\w+/app.css)`).FindStringSubmatch(page)
	status, css := get(t, server, asset[1])
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, css, "prefers-color-scheme: dark")
}

func TestForeignFormsAreRefused(t *testing.T) {
	m := sourcetest.New(example("a-1", source.Ready))
	server := serve(t, m)
	for _, headers := range []http.Header{
		{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"http://evil.example"}}, {"Origin": {"null"}},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/_krt"+atA+"/actions/stop", nil)
		require.NoError(t, err)
		request.Header = headers
		response, err := server.Client().Do(request)
		require.NoError(t, err)
		status, page := read(t, response)
		require.Equal(t, http.StatusForbidden, status)
		require.Contains(t, page, "Another site&#39;s page sent this request.")
	}
	require.Empty(t, m.Orders())
}

// A run on this machine has one version: its status is the first page, and the table is a link away.
func TestTheOnlyVersionComesFirst(t *testing.T) {
	m := sourcetest.New()
	server := serve(t, m, func(o *Options) { o.One = true })
	_, page := get(t, server, "/")
	require.Contains(t, page, "There are no versions yet", "it is loaded")
	m.Set(example("a-1", source.Ready))
	_, page = get(t, server, "/")
	require.Contains(t, page, "<title>Status · a-1 ")
	require.Contains(t, page, `<a class="back" href="/_krt/?all=1">`)
	_, page = get(t, server, "/?all=1")
	require.Contains(t, page, `<table class="table versions">`)
	require.Contains(t, page, `<input type="hidden" name="all" value="1">`)
	require.Contains(t, page, `<a href="/_krt/?all=1">Name</a>`)

	_, page = get(t, serve(t, m), "/")
	require.Contains(t, page, `<table class="table versions">`, "elsewhere there may be others")
	require.NotContains(t, page, "all=1")
}
