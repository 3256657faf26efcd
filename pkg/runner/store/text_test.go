package store

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSurrogates(t *testing.T) {
	for text, want := range map[string]bool{
		`"a"`: false, `"\ud83d\ude00"`: false, `"\u00e9\\ud800"`: false, `"\\\\ud800"`: false, `"\n"`: false, `\`: false, `"\ud8"`: false,
		`"\ud800"`: true, `"\uDFFF"`: true, `"\ud83d\ud83d\ude00"`: true, `"\ude00\ud83d"`: true, `"\\\ud800x"`: true,
	} {
		if has := hasSurrogate([]byte(text)); has != want {
			t.Errorf("%s: %t", text, has)
		}
	}
}

// FuzzSurrogates: a JSON text whose decoded form has no U+FFFD has no half of a pair.
func FuzzSurrogates(f *testing.F) {
	for _, text := range []string{`"\ud800"`, `"\ud83d\ude00"`, `"\\\\u"`, `"\u12"`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var decoded string
		has := hasSurrogate([]byte(text))
		if json.Unmarshal([]byte(text), &decoded) != nil || !has {
			return
		}
		if !strings.Contains(decoded, "\ufffd") {
			t.Errorf("%s has no half of a pair", text)
		}
	})
}

// A refused text is named by its place.
func TestCheckText(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 1000) + `"\ud800"` + strings.Repeat(`}`, 1000)
	for body, want := range map[string]string{
		`{"data":{"_id":"1"}}`:               "",
		`{"data":{"s":"\ud83d\ude00"}}`:      "",
		`{"data":{"_id":"\ud800"}}`:          "data._id: it has half of a surrogate pair, which is not a character",
		`{"data":{"a":[1,{"b":"x\udc00"}]}}`: "data.a.1.b: it has half",
		`{"data":{"a":{"\ud800":1}}}`:        "data.a: a key has half",
		`{"query":{"a":{"$in":["\ud800"]}}}`: "query.a.$in.0: it has half",
		`"\ud800"`:                           "the body has half of a surrogate pair",
		`{"\ud800":1}`:                       "the body has half of a surrogate pair",
		deep:                                 "a.a.a.a.a.a.a.a: it has half",
	} {
		err := CheckText([]byte(body))
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%.50s: %v", body, err)
		}
	}
}
