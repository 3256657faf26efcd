package entrypoint

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// detailValue is the part of an error whose maps have any order.
var detailValue = regexp.MustCompile(`"value":"[^"]*"`)

// askJSON posts a body, and says what distinguishes the response from another one to the same request. The header
// Connect-Timeout-Ms has the transcoder serve it.
func askJSON(t testing.TB, h http.Handler, body string, transcoded bool) (status int, header http.Header, text string) {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/test.Entrypoint/Call", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if transcoded {
		r.Header.Set("Connect-Timeout-Ms", "30000")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	header = w.Result().Header
	header.Del(headerCorrelation)
	header.Del(headerTiming)
	return w.Code, header, detailValue.ReplaceAllString(w.Body.String(), "")
}

// answers responds to an event with one that differs in its data only.
func answers(w http.ResponseWriter, r *http.Request, data []byte) {
	for name, values := range r.Header {
		if strings.HasPrefix(name, "Ce-") || name == "Content-Type" {
			w.Header()[name] = values
		}
	}
	_, _ = w.Write(data)
}

// echoWhole reads an event before it responds with it: net/http reads no more of a request once it writes.
func echoWhole(w http.ResponseWriter, r *http.Request) {
	data, _ := io.ReadAll(r.Body)
	answers(w, r, data)
}

// TestJSONIsServedAsTheTranscoderDoes: plain calls pass it by, and nobody can tell.
func TestJSONIsServedAsTheTranscoderDoes(t *testing.T) {
	nodes := map[string]http.Handler{
		"echo": http.HandlerFunc(echoWhole),
		"busy": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no room", http.StatusInternalServerError) }),
		"ends": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }),
		"malformed": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answers(w, r, []byte("\xff\xff"))
		}),
		"unknown any": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answers(w, r, []byte("\x32\x03\x0a\x01x")) // a type that nobody knows
		}),
	}
	bodies := map[string]string{
		"empty": "", "nothing": "{}", "blank": "  ", "null": "null", "text": `{"text":"Zoë \u0000 <>"}`, "zero": `{"count":0,"flag":false}`,
		"whole": `{"text":"x","count":3,"items":[{"name":"a","more":{"name":"b"}}],"by":{"k":0.5},"at":"2026-01-02T03:04:05Z","raw":"AQI="}`,
		"any":   `{"any":{"@type":"type.googleapis.com/test.Item","name":"x"}}`, "unknown type": `{"any":{"@type":"x/y.Z"}}`,
		"misspelt": `{"txt":"x"}`, "broken": `{"text":`, "two": `{}{}`, "list": `[]`, "mark": "\ufeff{}", "not UTF-8": "{\"text\":\"\xff\"}",
		"deep":      `{"items":[` + strings.Repeat(`{"more":`, 200) + "{}" + strings.Repeat("}", 200) + "]}",
		"too large": `{"text":"` + strings.Repeat("x", 70<<10) + `"}`, "at the limit": `{"text":"` + strings.Repeat("x", 64<<10-11) + `"}`,
	}
	for node, handler := range nodes {
		h := webOf(t, handler.ServeHTTP)
		for name, body := range bodies {
			t.Run(node+" "+name, func(t *testing.T) {
				wantStatus, wantHeader, want := askJSON(t, h, body, true)
				status, header, got := askJSON(t, h, body, false)
				require.Equal(t, wantStatus, status, "%s", got)
				require.Equal(t, want, got)
				require.Equal(t, wantHeader, header)
			})
		}
	}
}

// A message can be larger in protobuf than in JSON, and then it is no overload either.
func TestJSONThatGrowsAboveTheLimitIsTooLarge(t *testing.T) {
	h := webOf(t, echoWhole)
	entries := make([]string, 6000)
	for i := range entries {
		entries[i] = `"` + strconv.Itoa(1000+i) + `":1`
	}
	body := `{"by":{` + strings.Join(entries, ",") + `}}`
	require.Less(t, len(body), 64<<10)
	for _, transcoded := range []bool{false, true} {
		status, _, text := askJSON(t, h, body, transcoded)
		require.Equal(t, http.StatusRequestEntityTooLarge, status, text)
		require.Contains(t, text, "bytes in protobuf, the limit is 65536 (max-message-bytes)")
	}
}

// BenchmarkUnaryJSON counts what a call of 1 KB takes, its node included, with and without the transcoder.
func BenchmarkUnaryJSON(b *testing.B) {
	body := `{"text":"` + strings.Repeat("x", 1<<10) + `"}`
	for name, transcoded := range map[string]bool{"direct": false, "transcoded": true} {
		b.Run(name, func(b *testing.B) {
			h := webOf(b, echoWhole)
			b.ReportAllocs()
			for b.Loop() {
				status, _, text := askJSON(b, h, body, transcoded)
				require.Equal(b, http.StatusOK, status, text)
			}
		})
	}
}
