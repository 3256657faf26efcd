package query

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestMatchIsExactForLargeNumbers(t *testing.T) {
	q, err := Parse(map[string]any{"a": json.Number("9007199254740993")})
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[json.Number]bool{"9007199254740993": true, "9007199254740992": false, "9007199254740992.0": false} {
		if got := q.Match(map[string]any{"a": n}); got != want {
			t.Errorf("%s: got %t", n, got)
		}
	}
}

func TestLargePatternsAreRefused(t *testing.T) {
	for _, pattern := range []string{"((a{100}){100}){10}", "((((a{9}){9}){9}){9}){9}", "[" + strings.Repeat("ab", 2000) + "]"} {
		if _, err := Parse(map[string]any{"a": map[string]any{"$regex": pattern}}); err == nil {
			t.Errorf("%s is taken", pattern)
		}
	}
}

// TestMatchEndsWithItsContext: what would take minutes does not.
func TestMatchEndsWithItsContext(t *testing.T) {
	pattern := map[string]any{"a": map[string]any{"$regex": "(?:a|b|c|aa|ab){1,60}(?:x|y){1,40}qN$"}}
	list, values := make([]any, 1_000_000), make([]any, 250)
	for i := range list {
		list[i] = json.Number("1.5")
	}
	for i := range values {
		values[i] = json.Number("2.5")
	}
	for name, c := range map[string]struct{ query, document map[string]any }{
		"pattern":  {map[string]any{"$or": []any{pattern, pattern, pattern}}, map[string]any{"a": strings.Repeat("a", 8_000_000)}},
		"opposite": {map[string]any{"a": map[string]any{"$not": pattern["a"]}}, map[string]any{"a": strings.Repeat("a", 8_000_000)}},
		"array":    {map[string]any{"a": map[string]any{"$nin": values}}, map[string]any{"a": list}},
	} {
		q, err := Parse(c.query)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if met, err := q.MatchContext(ctx, c.document); met || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %t, %v", name, met, err)
		}
	}
}

// TestLongTextsMatchAsShortOnes: they are read in another way.
func TestLongTextsMatchAsShortOnes(t *testing.T) {
	for _, fill := range []string{"", strings.Repeat("ö", longText)} {
		for pattern, want := range map[string]bool{"^(y|ö*x+)$": true, "x$": true, "xö": false, "^x{3}$": fill == "", "(?m)^": true} {
			q, err := Parse(map[string]any{"a": map[string]any{"$regex": pattern}})
			if err != nil {
				t.Fatal(err)
			}
			if got := q.Match(map[string]any{"a": fill + "xxx"}); got != want {
				t.Errorf("%s: %d: got %t", pattern, len(fill), got)
			}
		}
	}
}

// FuzzParse: whatever is parsed is bounded, and can be matched.
func FuzzParse(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"a":1}`, `{"a":[1,"1",true,null,{}]}`},
		{`{"a.b":{"$in":[null,1,[1],{"c":1}]},"d":{"$ne":"x"}}`, `{"a":{"b":{"c":1}}}`},
		{`{"$or":[{"a":{"$not":{"$gte":1,"$lt":"x"}}},{"b.0.c":{"$exists":true}}]}`, `{"a":[1.5,"w"]}`},
		{`{"a":{"$elemMatch":{"$gt":1,"$regex":"^x(y|z)+$","$options":"i"}}}`, `{"a":[9007199254740992.5]}`},
		{`{"a":{"$elemMatch":{"b":{"$all":[1,2],"$size":2}}}}`, `{"a":[{"b":[1,2]}]}`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, text, document string) {
		var raw, doc map[string]any
		for from, to := range map[string]*map[string]any{text: &raw, document: &doc} {
			decoder := json.NewDecoder(strings.NewReader(from))
			decoder.UseNumber()
			if decoder.Decode(to) != nil {
				return
			}
		}
		if q, err := Parse(raw); err == nil {
			q.Match(doc)
		}
	})
}
