package event

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

func TestCopies(t *testing.T) {
	for name, c := range map[string]struct{ bytes, bound, size int }{
		"whole":    {10, 100, 0},
		"just":     {100, 100, 0},
		"cut":      {101, 100, 101},
		"no data":  {0, 100, 0},
		"the most": {MostInspected + 1, MostInspected, MostInspected + 1},
	} {
		t.Run(name, func(t *testing.T) {
			h, e := http.Header{}, full()
			e.Data, e.Inspect = []byte(strings.Repeat("x", c.bytes)), c.bound
			if got := e.WriteCopy(h); len(got) != min(c.bytes, c.bound) {
				t.Errorf("%d bytes", len(got))
			}
			got, size, err := ReadCopy(h)
			if err != nil {
				t.Fatal(err)
			}
			if size != c.size || got.Inspect != c.bound || got.ReplyToken != e.ReplyToken || got.Steps != e.Steps {
				t.Errorf("read %d, %+v", size, got)
			}
		})
	}
}

// TestInspectAttribute: a value that is not one fails no event.
func TestInspectAttribute(t *testing.T) {
	for value, want := range map[string]int{
		"": 0, "1": 1, "65536": 65536, "1048576": MostInspected, "1048577": 0, "0": 0, "-1": 0, "+1": 0, "01": 0, "1e3": 0,
		"9223372036854775808": 0, " 1": 0, "true": 0,
	} {
		h := http.Header{}
		full().WriteHeader(h)
		h["Ce-Krtinspect"], h["Ce-Krtsize"] = []string{value}, []string{value}
		e, size, err := ReadCopy(h)
		if err != nil {
			t.Fatal(err)
		}
		if e.Inspect != want {
			t.Errorf("%q: read %d", value, e.Inspect)
		}
		if value == "1048577" {
			want = MostInspected + 1
		}
		if size != want {
			t.Errorf("%q: a size of %d", value, size)
		}
	}
	if _, _, err := ReadCopy(http.Header{}); !errors.Is(err, ErrNoEvent) {
		t.Errorf("got %v", err)
	}
}
