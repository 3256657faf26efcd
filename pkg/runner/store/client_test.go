package store

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestClient(t *testing.T) {
	for name, c := range map[string]struct {
		status   int
		answer   string
		wantErr  string
		wantList []int
	}{
		"found":                  {200, `{"documents":[1,2]}`, "", []int{1, 2}},
		"none":                   {200, `{"documents":[]}`, "", []int{}},
		"error":                  {400, `{"error":"bad query"}`, `cannot find in the collection "a/b": bad query`, nil},
		"error that is no JSON":  {502, `<html>`, "the store responded with status 502", nil},
		"answer that is no JSON": {200, `<html>`, "invalid character", nil},
		"documents of all types": {200, `{"documents":["x"]}`, "cannot unmarshal string", nil},
		"no documents":           {200, `{}`, "the store's response has no documents", nil},
		"pages without end":      {200, `{"documents":[],"next":"5"}`, "the store's pages do not end", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var path, body string
			var header http.Header
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				data, _ := io.ReadAll(r.Body)
				path, body, header = r.URL.EscapedPath(), string(data), r.Header
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.answer))
			}))
			defer server.Close()
			client, err := New(server.URL + "/")
			if err != nil {
				t.Fatal(err)
			}
			var got []int
			err = client.Find(t.Context(), Origin{"v1", "model", "flow", true}, "a/b", map[string]any{"x": 1}, &got)
			switch {
			case c.wantErr == "" && err != nil, c.wantErr != "" && (err == nil || !strings.Contains(err.Error(), c.wantErr)):
				t.Errorf("got error %v, want %q", err, c.wantErr)
			case c.wantErr == "" && len(got) != len(c.wantList):
				t.Errorf("got %v", got)
			}
			if path != "/v1/collections/a%2Fb/find" || !strings.HasPrefix(body, `{"query":{"x":1},"limit":5000`) {
				t.Errorf("sent %s to %s", body, path)
			}
			if header.Get(HeaderVersion) != "v1" || header.Get(HeaderNode) != "model" || header.Get(HeaderWorkflow) != "flow" ||
				header.Get(HeaderMirror) != "1" {
				t.Errorf("sent %v", header)
			}
		})
	}
}

func TestClientIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else net/http does not look whether the client is gone
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	client, err := New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Save(ctx, Origin{}, "c", struct{}{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
