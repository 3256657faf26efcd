package store

import (
	"encoding/json"
	"testing"
)

// A page that is cut has what encoding/json finds in it.
func FuzzCutPage(f *testing.F) {
	for _, body := range []string{
		`{"documents":[]}`, `{"documents":[{"a":"]}"}],"next":"7]"}`, `{"documents":[1],"next":"a\"],\"next\":\"b"}`, `{"documents":null}`,
		`{"documents":`, `{"documents":[{"a":"],\"next\":\"5\"}"}]}`, `{"documents":[1] ,"next":""}`, `{"documents":[[2]],"next":"\u0041"}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		documents, next, ok := cutPage(body)
		var page struct {
			Documents json.RawMessage
			Next      string
		}
		if !ok || json.Unmarshal(body, &page) != nil || !json.Valid(documents) {
			return
		}
		if string(documents) != string(page.Documents) || next != page.Next {
			t.Errorf("cut %q and %q of %s", documents, next, body)
		}
	})
}

func TestPagesAreJoined(t *testing.T) {
	var list []byte
	for _, page := range []string{`[]`, `[ ]`, `[1,2]`, `[]`, `[ 3 ]`} {
		list = joined(list, []byte(page))
	}
	if string(list) != "[1,2,3]" {
		t.Errorf("got %s", list)
	}
}
