package visible

import (
	"errors"
	"html/template"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// word is a kind of text of its own.
type word string

func render(t *testing.T, source string, data any) string {
	t.Helper()
	var out strings.Builder
	parsed := template.Must(template.New("").Funcs(Functions()).Parse(source))
	require.NoError(t, All(All(parsed)).Execute(&out, data))
	return out.String()
}

func TestTextsAreVisible(t *testing.T) {
	const text, seen = "a\u202eb<", `a\u202eb&lt;`
	for source, want := range map[string]string{
		"<p>{{.}}":                 "<p>" + seen,
		"{{.}}":                    seen,
		"{{if .}}<p>{{.}}{{end}}":  "<p>" + seen,
		"{{with .}}{{.}}{{end}}":   seen,
		`<p title="{{.}}">`:        `<p title="` + seen + `">`,
		`<p aria-label="x {{.}}">`: `<p aria-label="x ` + seen + `">`,
		`{{define "a"}}{{.}}{{end}}{{template "a" .}}`: seen,
		`{{$x := .}}{{$x}}`:                            seen,
		`{{. | printf "%s"}}`:                          seen,
		`<p title="{{.}}{{with .}} {{.}}{{end}}">`:     `<p title="` + seen + " " + seen + `">`,
		// What goes back is what was there.
		`<input value="{{.}}">`:                        "<input value=\"a\u202eb&lt;\">",
		"<textarea rows=1>\n{{.}}</textarea><p>{{.}}":  "<textarea rows=1>\na\u202eb&lt;</textarea><p>" + seen,
		`<a href="/x?y={{.}}">`:                        `<a href="/x?y=a%e2%80%aeb%3c">`,
		`<a href="/{{len .}}{{with .}}/{{.}}{{end}}">`: `<a href="/6/a%e2%80%aeb%3c">`,
		`<i data-plot="{{.}}">`:                        "<i data-plot=\"a\u202eb&lt;\">",
	} {
		require.Equal(t, want, render(t, source, text), source)
	}
	for _, tt := range []struct {
		value any
		want  string
	}{
		{word("\u202e"), `\u202e`}, {errors.New("\x1b"), `\x1b`}, {template.HTML("<b>\u202e"), "<b>\u202e"}, {7, "7"},
		{"a\r\n\rb", "a\n\\rb"}, {nil, ""},
		{time.Second, "1s"}, {[]int{1}, "[1]"}, {true, "true"}, {(*word)(nil), "&lt;nil&gt;"},
	} {
		require.Equal(t, tt.want, render(t, "{{.}}", tt.value))
	}
}
