package dashboard

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/sourcetest"
)

func TestConfig(t *testing.T) {
	m := sourcetest.New(example("a-1", source.Ready))
	m.Declared = []source.ConfigEntry{{Name: "DB_URL"}, {Name: "model.cfg", File: true, Set: true}}
	server := serve(t, m)
	_, page := get(t, server, atA+"/config")
	require.Contains(t, page, "1 of 2 without a value")
	require.Contains(t, page, `type="password"`)

	response, _ := post(t, server, atA+"/config", url.Values{"name": {"DB_URL"}, "value": {"s3cret"}, "do": {"set"}})
	require.Equal(t, http.StatusSeeOther, response.StatusCode)
	to := response.Header.Get("Location")
	require.Regexp(t, "^/_krt"+atA+`/config\?changed=\w+$`, to)
	require.Equal(t, "s3cret", m.Value("DB_URL"))
	_, page = get(t, server, strings.TrimPrefix(to, "/_krt"))
	require.Contains(t, page, "Complete")
	require.Contains(t, page, "DB_URL was changed.")
	require.NotContains(t, page, "s3cret")

	response, _ = post(t, server, atA+"/config", url.Values{"name": {"DB_URL"}, "do": {"unset"}})
	require.Equal(t, http.StatusSeeOther, response.StatusCode)
	for _, link := range []string{strings.TrimPrefix(to, "/_krt"), atA + "/config?changed=DB_URL", atA + "/config?changed=other"} {
		_, page = get(t, server, link)
		require.Contains(t, page, "1 of 2 without a value")
		require.NotContains(t, page, "was changed", "it is said once, and not by a link that anybody can make")
	}
}

func TestConfigFileIsUploaded(t *testing.T) {
	m := sourcetest.New(example("a-1", source.Ready))
	m.Declared = []source.ConfigEntry{{Name: "model.cfg", File: true}}
	server := serve(t, m)
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	require.NoError(t, form.WriteField("name", "model.cfg"))
	file, err := form.CreateFormFile("upload", "any.bin")
	require.NoError(t, err)
	_, err = file.Write([]byte{0, 1, 0xff})
	require.NoError(t, err)
	require.NoError(t, form.Close())
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/_krt"+atA+"/config", &body)
	require.NoError(t, err)
	request.Header.Set("Content-Type", form.FormDataContentType())
	response, err := server.Client().Do(request)
	require.NoError(t, err)
	_, page := read(t, response)
	require.Contains(t, page, "model.cfg was changed.")
	require.Equal(t, "\x00\x01\xff", m.Value("model.cfg"))
}

func TestConfigCannotBeChanged(t *testing.T) {
	m := sourcetest.New(example("a-1", source.Ready))
	m.Declared = []source.ConfigEntry{{Name: "DB_URL"}}
	m.Reasons = map[source.Action]string{source.Configure: "You may not patch secrets."}
	m.Refuse = &source.RefusedError{Refusal: source.Forbidden, Text: "You may not patch secrets."}
	server := serve(t, m)
	_, page := get(t, server, atA+"/config")
	require.Contains(t, page, "Values cannot be changed here. You may not patch secrets.")
	require.NotContains(t, page, `<form class="set"`)
	response, page := post(t, server, atA+"/config", url.Values{"name": {"DB_URL"}, "value": {"s3cret"}})
	require.Equal(t, http.StatusForbidden, response.StatusCode)
	require.NotContains(t, page, "s3cret")

	readOnly := serve(t, sourcetest.New(example("a-1", source.Ready)), func(o *Options) { o.ReadOnly = true })
	response, _ = post(t, readOnly, atA+"/config", url.Values{"name": {"DB_URL"}, "value": {"s3cret"}})
	require.Equal(t, http.StatusForbidden, response.StatusCode)
}

func TestHistory(t *testing.T) {
	m := sourcetest.New(publishedExample("a-1"))
	at := example("a-1", source.Ready).Created
	m.Past = source.History{
		Events:       []source.Event{{Time: at, What: "Started", Comment: "week 47"}},
		Publications: []source.Publication{{Version: "a-1", From: at, Comment: "better"}, {Version: "z-9", From: at, To: at}},
	}
	server := serve(t, m)
	_, page := get(t, server, atA+"/history")
	for _, text := range []string{"Started", "week 47", "better", `datetime="2026-11-28T12:00:00Z"`, "/compare?with=z-9"} {
		require.Contains(t, page, text)
	}
	require.NotContains(t, page, "/compare?with=a-1")
}

func TestCompare(t *testing.T) {
	other := publishedExample("b-1")
	other.Nodes = append(other.Nodes[:1:1], source.Node{Name: "old"})
	other.Nodes[0].Image = "registry/etl@sha256:9"
	server := serve(t, sourcetest.New(example("a-1", source.Ready), other, example("c-1", source.Ready)))
	_, page := get(t, server, atA+"/compare")
	require.Contains(t, page, "<option selected>b-1</option>", "the published one, if nothing is said")
	text := strings.Join(strings.Fields(page), " ")
	for _, text := range []string{
		"etl@sha256:1", "etl@sha256:9", "≠</span> changed", "+</span> only here", "−</span> only there", "=</span> same",
	} {
		require.Contains(t, page, text)
	}
	require.Contains(t, text, "price.Estimator/Predict: etl → model")
	_, page = get(t, server, atA+"/compare?with=c-1")
	require.NotContains(t, page, "diff-changed")
	status, _ := get(t, server, atA+"/compare?with=none")
	require.Equal(t, http.StatusNotFound, status)
	_, page = get(t, serve(t, sourcetest.New(example("a-1", source.Ready))), atA+"/compare")
	require.Contains(t, page, "There is no other version in team.")
}
