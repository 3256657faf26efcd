package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/sourcetest"
)

const atA = "/ns/team/versions/a-1"

func publishedExample(name string) source.Version {
	v := example(name, source.Ready)
	v.Published, v.Phase, v.Since = true, "Published", v.Created
	return v
}

func TestPublishShowsOldAndNew(t *testing.T) {
	m := sourcetest.New(example("a-1", source.Ready), publishedExample("b-1"))
	server := serve(t, m)
	status, page := get(t, server, atA+"/actions/publish")
	require.Equal(t, 200, status)
	require.Contains(t, page, "Clients of the runtime reach a-1 instead of b-1.")
	require.Contains(t, page, `name="old" value="b-1"`)

	form := url.Values{"old": {"b-1"}, "new": {"a-1"}, "comment": {" better\r\nrecall "}}
	response, _ := post(t, server, atA+"/actions/publish", form)
	require.Equal(t, http.StatusSeeOther, response.StatusCode)
	to := response.Header.Get("Location")
	require.Regexp(t, "^/_krt"+atA+`\?asked=\w+$`, to)
	want := source.Order{Ref: source.Ref{Namespace: "team", Name: "a-1"}, Action: source.Publish, Comment: "better\nrecall"}
	require.Equal(t, []source.Order{want}, m.Orders())
	to = strings.TrimPrefix(to, "/_krt")
	_, page = get(t, server, strings.Replace(to, "a-1", "b-1", 1))
	require.NotContains(t, page, "was asked for", "of another version")
	_, page = get(t, server, to)
	require.Contains(t, page, "Publish was asked for.")
	_, page = get(t, server, to)
	require.NotContains(t, page, "was asked for", "it is said once")
}

// A link that anybody may have made does not say that something was done.
func TestALinkIsNoReceipt(t *testing.T) {
	server := serve(t, sourcetest.New(example("a-1", source.Ready)))
	for _, known := range actionTexts {
		_, page := get(t, server, atA+"?asked="+string(known.action))
		require.NotContains(t, page, "was asked for")
	}
}

func TestPublishAsksAgainWhenSomethingElseIsPublished(t *testing.T) {
	m := sourcetest.New(example("a-1", source.Ready), publishedExample("c-1"))
	response, page := post(t, serve(t, m), atA+"/actions/publish", url.Values{"old": {"b-1"}, "new": {"a-1"}, "comment": {"why not"}})
	require.Equal(t, http.StatusConflict, response.StatusCode)
	require.Contains(t, page, "What is published has changed in the meantime.")
	require.Contains(t, page, `name="old" value="c-1"`)
	require.Contains(t, page, ">why not</textarea>")
	require.Empty(t, m.Orders())
}

func TestRollbackNamesTheVersionBefore(t *testing.T) {
	m := sourcetest.New(publishedExample("a-1"))
	m.Past.Publications = []source.Publication{{Version: "a-1"}, {Version: "z-9"}}
	_, page := get(t, serve(t, m), atA+"/actions/rollback")
	require.Contains(t, page, `name="new" value="z-9"`)
}

func TestRefusalsAreShownAsTheirText(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
	}{
		{&source.RefusedError{Text: "it is <published>", Next: "kn krt unpublish a-1"}, 409},
		{&source.RefusedError{Refusal: source.Forbidden, Text: "it is <published>", Next: "kn krt unpublish a-1"}, 403},
		{&source.RefusedError{Refusal: source.Unauthorized, Text: "it is <published>", Next: "kn krt unpublish a-1"}, 401},
		{&source.RefusedError{Refusal: source.Unavailable, Text: "it is <published>", Next: "kn krt unpublish a-1"}, 501},
		{&source.NotFoundError{Ref: source.Ref{Name: "it is <published>kn krt unpublish a-1"}}, 404},
		{errors.New("it is <published>: kn krt unpublish a-1"), 502},
	} {
		m := sourcetest.New(example("a-1", source.Ready))
		m.Refuse = tt.err
		response, page := post(t, serve(t, m), atA+"/actions/stop", url.Values{})
		require.Equal(t, tt.status, response.StatusCode)
		require.Contains(t, page, "it is &lt;published&gt;")
		require.Contains(t, page, "kn krt unpublish a-1")
	}
}

func TestWhatIsNotPossible(t *testing.T) {
	m := sourcetest.New(publishedExample("a-1"), example("b-1", source.Stopped))
	m.Reasons = map[source.Action]string{source.Start: "You may not patch versions."}
	server := serve(t, m)
	_, page := get(t, server, atA)
	require.Contains(t, page, `<button class="button" disabled aria-describedby="why-stop">`)
	require.Contains(t, page, "Unpublish it first.")
	_, page = get(t, server, "/ns/team/versions/b-1")
	require.Contains(t, page, "You may not patch versions.")
	require.Contains(t, page, "Start it first.")
	_, page = get(t, server, "/ns/team/versions/b-1/actions/start")
	require.Contains(t, page, "You may not patch versions.")
	require.NotContains(t, page, "<form")
}

func TestReadOnly(t *testing.T) {
	m := sourcetest.New(example("a-1", source.Ready))
	server := serve(t, m, func(o *Options) { o.ReadOnly = true })
	_, page := get(t, server, atA)
	require.Equal(t, 4, strings.Count(page, readOnlyReason))
	require.NotContains(t, page, `href="/_krt/ns/team/versions/a-1/actions`)
	for _, known := range actionTexts {
		response, page := post(t, server, atA+"/actions/"+string(known.action), url.Values{})
		require.Equal(t, http.StatusForbidden, response.StatusCode)
		require.Contains(t, page, readOnlyReason)
	}
	require.Empty(t, m.Orders())
}

func TestFormsAreBounded(t *testing.T) {
	m := sourcetest.New(example("a-1", source.Ready))
	server := serve(t, m)
	response, page := post(t, server, atA+"/actions/stop", url.Values{"comment": {strings.Repeat("x", source.MaxComment+1)}})
	require.Equal(t, http.StatusConflict, response.StatusCode)
	require.Contains(t, page, "The comment is too long")
	response, _ = post(t, server, atA+"/actions/stop", url.Values{"comment": {strings.Repeat("x", maxForm)}})
	require.Equal(t, http.StatusRequestEntityTooLarge, response.StatusCode)
	response, _ = post(t, server, atA+"/actions/config", url.Values{})
	require.Equal(t, http.StatusNotFound, response.StatusCode)
	require.Empty(t, m.Orders())
}

func TestToTakeAVersionFromClientsDoesNotLookRecommended(t *testing.T) {
	server := serve(t, sourcetest.New(publishedExample("a-1")))
	_, page := get(t, server, atA)
	require.Contains(t, page, `<a class="button" href="/_krt/ns/team/versions/a-1/actions/unpublish">Unpublish</a>`)
	_, page = get(t, server, atA+"/actions/unpublish")
	require.Contains(t, page, `<button class="button">Unpublish</button>`)
}

func TestARefusedStartLeadsToTheConfiguration(t *testing.T) {
	m := sourcetest.New(example("a-1", source.Stopped))
	m.Refuse = &source.RefusedError{Text: "Config DB_URL has no value.", Next: "set it: kn krt config set a-1", Missing: []string{"DB_URL"}}
	_, page := post(t, serve(t, m), atA+"/actions/start", url.Values{})
	require.Contains(t, page, "Config DB_URL has no value.")
	require.Contains(t, page, `href="/_krt/ns/team/versions/a-1/config#config:DB_URL">DB_URL</a>`)
	require.Contains(t, page, `<a href="/_krt/ns/team/versions/a-1/config">Configuration</a>`)
	m.Refuse = &source.RefusedError{Text: "Something else."}
	_, page = post(t, serve(t, m), atA+"/actions/start", url.Values{})
	require.NotContains(t, page, "Configuration</a>, then")
}
