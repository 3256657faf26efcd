package dashboard

import (
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/sourcetest"
)

// files makes a file system of texts.
func files(texts map[string]string) fstest.MapFS {
	all := fstest.MapFS{}
	for name, text := range texts {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

const estimator = `syntax = "proto3";
package price;
import "google/protobuf/empty.proto";
// A room <script>alert(1)</script>.
message Room {
  // Where it is.` + "\u202e" + `
  string borough = 1;
  repeated Bed beds = 2;
  map<string, Kind> kinds = 3;
  message Bed { double size = 1; }
}
enum Kind { UNKNOWN = 0; SHARED = 1; }
message Price { optional double price = 1; }
message Nothing {}
// Estimates.
service Estimator {
  rpc Predict(Room) returns (Price); // What a room costs.
  rpc Forget(Nothing) returns (google.protobuf.Empty);
}
`

// documented is a dashboard of a version with documentation and a contract.
func documented(t *testing.T, texts map[string]string) *httptest.Server {
	t.Helper()
	m := sourcetest.New(example("prices-v1", source.Ready))
	m.Protos = &source.Contract{Entry: "public_input.proto", Protos: map[string][]byte{"public_input.proto": []byte(estimator)}}
	if texts != nil {
		m.Written = files(texts)
	}
	return serve(t, m)
}

const docsAt = "/ns/team/versions/prices-v1/docs"

func TestDocumentation(t *testing.T) {
	server := documented(t, map[string]string{
		"docs/README.md": "# Prices\n\n![flow](img/flow.svg) " +
			"![away](https://example.com/x.png) [more](guide/more.md#the-end) [csv](rooms.csv)\n\n" +
			"| a | b |\n|---|---|\n| 1 | 2 |\n\n## Why <b>" + hostile,
		"docs/guide/more.md": "Back to [the first](../README.md), not [out](../../krt.yml)",
		"docs/img/flow.svg":  "<svg/>", "docs/rooms.csv": "a,b", "metrics/dashboards/a.json": "{}",
	})
	status, page := get(t, server, docsAt)
	require.Equal(t, http.StatusOK, status)
	const at = `"/_krt/ns/team/versions/prices-v1/docs`
	for _, want := range []string{
		`<h2 id="doc-prices">Prices</h2>`, `<img src=` + at + `/file?name=docs%2Fimg%2Fflow.svg" alt="flow"`, "[image: away]",
		`<a href=` + at + `?file=docs%2Fguide%2Fmore.md#doc-the-end">more</a>`, `<a href=` + at + `/file?name=docs%2Frooms.csv">csv</a>`,
		"<td>1</td>", `href=` + at + `" aria-current="page">README.md</a>`, `>guide/more.md</a>`, `download>rooms.csv</a>`,
	} {
		require.Contains(t, page, want)
	}
	require.NotContains(t, page, "<script>alert")
	require.NotContains(t, page, "<b>")
	require.Contains(t, page, `Where it is.\u202e`)
	require.NotContains(t, page, "\u202e")
	require.NotContains(t, page, "onerror='")

	status, page = get(t, server, docsAt+"?file=docs/guide/more.md")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, `Back to <a href=`+at+`">the first</a>, not out`)
	require.NotContains(t, page, `id="contract"`)
	for _, missing := range []string{"docs/none.md", "docs/img/flow.svg", "krt.yml", "../docs/README.md", "metrics/dashboards/a.json"} {
		status, _ = get(t, server, docsAt+"?file="+missing)
		require.Equal(t, http.StatusNotFound, status, missing)
	}
}

func TestContractAndCalls(t *testing.T) {
	server := documented(t, nil)
	status, page := get(t, server, docsAt)
	require.Equal(t, http.StatusOK, status)
	for _, want := range []string{
		"There are no files.", "service <code>price.Estimator</code>", "Estimates.", "What a room costs.", "<td>predict</td>",
		`<span class="none">none</span>`,
		`<h3 id="type-price.Room">message <code>price.Room</code></h3>`, "A room &lt;script&gt;alert(1)&lt;/script&gt;.", "Where it is.",
		`<a href="#type-price.Room.Bed"><code>repeated price.Room.Bed</code></a>`,
		`<a href="#type-price.Kind"><code>map&lt;string, price.Kind&gt;</code></a>`,
		"enum <code>price.Kind</code>", "<td><code>google.protobuf.Empty</code></td>",
		"<code>SHARED</code>", "<code>optional double</code>", "It has no fields.",
		"curl http://prices-v1.team/price.Estimator/Predict", "kn-krt invoke prices-v1 predict -n team -d",
	} {
		require.Contains(t, page, want)
	}

	server = documented(t, map[string]string{"assets/examples/predict.json": "{\n  \"borough\": \"Hell's Kitchen\"\n}"})
	_, page = get(t, server, docsAt)
	require.Contains(t, page, html.EscapeString(`kn-krt invoke prices-v1 predict -n team -d '{"borough":"Hell'\''s Kitchen"}'`))

	unknown := serve(t, sourcetest.New(example("prices-v1", source.Ready)))
	_, page = get(t, unknown, docsAt)
	require.Contains(t, page, "the protos are not known")
}

func TestFilesOfTheDocumentation(t *testing.T) {
	server := documented(t, map[string]string{
		"docs/a.svg": "<svg onload='alert(1)'/>", "docs/b.PNG": "png", "docs/c.html": "<script>alert(1)</script>", "metrics/x": "y",
	})
	for name, c := range map[string]struct{ mediaType, disposition string }{
		"docs/a.svg":  {"image/svg+xml", ""},
		"docs/b.PNG":  {"image/png", ""},
		"docs/c.html": {"application/octet-stream", "attachment; filename*=UTF-8''c.html"},
	} {
		response, err := server.Client().Get(server.URL + "/_krt" + docsAt + "/file?name=" + name)
		require.NoError(t, err)
		_, _ = io.Copy(io.Discard, response.Body)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.Equal(t, c.mediaType, response.Header.Get("Content-Type"))
		require.Equal(t, c.disposition, response.Header.Get("Content-Disposition"))
		require.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"))
		require.Equal(t, []string{"default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"},
			response.Header.Values("Content-Security-Policy"))
	}
	for _, missing := range []string{"docs/none", "docs", "metrics/x", "docs/../metrics/x", "/etc/passwd", ""} {
		status, _ := get(t, server, docsAt+"/file?name="+missing)
		require.Equal(t, http.StatusNotFound, status, missing)
	}
}

func TestDocumentsThatCannotBeShown(t *testing.T) {
	server := documented(t, map[string]string{"docs/README.md": string(make([]byte, 300<<10)), "docs/b.md": "b"})
	_, page := get(t, server, docsAt)
	require.Contains(t, page, "the text is not shown, because it has more than 256 KiB")
	require.Contains(t, page, "b.md")
	require.Contains(t, page, `id="contract"`)

	server = documented(t, map[string]string{"docs/b.md": "b"})
	_, page = get(t, server, docsAt)
	require.Contains(t, page, "The bundle has no docs/README.md.")
}
