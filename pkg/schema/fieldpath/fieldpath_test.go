package fieldpath_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/schema"
	"krt.dev/kn-krt/pkg/schema/fieldpath"
)

// matches enters the names one after the other, those that begin with ":" as keys of maps,
// and reports whether a path ends at one of them.
func matches(t *testing.T, paths []string, names string) bool {
	s, err := fieldpath.Parse(paths)
	require.NoError(t, err)
	var at fieldpath.State
	for name := range strings.SplitSeq(names, ".") {
		var whole bool
		if key, ok := strings.CutPrefix(name, ":"); ok {
			at, whole = s.EnterKey(at, key)
		} else {
			at, whole = s.Enter(at, name)
		}
		if whole {
			return true
		}
	}
	return false
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		path, names string
		want        bool
	}{
		{"number", "number", true},
		{"number", "customer.card.number", true},
		{"card.number", "card.number", true},
		{"card.number", "customer.card.number", true},
		{"card.number", "card.card.number", true},
		{"card.number", "number", false},
		{"card.number", "card.owner.number", false},
		{"card_number", "cardNumber", true},
		{"cardNumber", "card_number", true},
		{"cards.number", "cards.:first.number", true},
		{"cards.first.number", "cards.:first.number", true},
		{"cards.first.number", "cards.:second.number", false},
		{"labels.password", "labels.:password", true},
	} {
		require.Equal(t, c.want, matches(t, []string{"never.here", c.path}, c.names), "%s in %s", c.path, c.names)
	}
}

func TestExists(t *testing.T) {
	s, err := schema.Compile(t.Context(), fstest.MapFS{"a.proto": {Data: []byte(`syntax = "proto3";
package a;
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
message Request {
  message Card { string card_number = 1; Request of = 2; }
  repeated Card cards = 1;
  map<string, Card> by_name = 2;
  map<string, string> labels = 3;
  google.protobuf.Struct extra = 4;
  google.protobuf.Timestamp at = 5;
  string pin = 6 [json_name = "secretCode"];
}
`)}}, "a.proto", schema.Options{})
	require.NoError(t, err)
	for path, want := range map[string]bool{
		"cards":                      true,
		"card_number":                true,
		"cards.cardNumber":           true,
		"cards.of.cards.card_number": true,
		"by_name.card_number":        true,
		"by_name.first.card_number":  true,
		"by_name.first":              true,
		"labels.password":            true,
		"labels.password.hash":       false,
		"extra.any.thing":            true,
		"at.seconds":                 true,
		"pin":                        true,
		"secret_code":                true,
		"seconds":                    false,
		"number":                     false,
		"key":                        false, // of a map's entry
		"cards.number":               false,
		"card_number.x":              false,
	} {
		require.Equal(t, want, fieldpath.Exists(path, s.Registry()), path)
	}
}

func TestParseRefuses(t *testing.T) {
	long := []string{strings.Repeat("a", 257), "a" + strings.Repeat(".a", 16)}
	for _, path := range append(long, "", ".", "a..b", "a.", ".a", "a b", "1a", "a-b", "a.*") {
		_, err := fieldpath.Parse([]string{"fine", path})
		require.ErrorContains(t, err, "path 2 is", path)
	}
	_, err := fieldpath.Parse(make([]string, 65))
	require.EqualError(t, err, "there are 65 paths of fields; at most 64 are allowed")
}

// The state of a path stays small however deep a message is.
func TestStateIsBounded(t *testing.T) {
	s, err := fieldpath.Parse([]string{"a" + strings.Repeat(".a", 15)})
	require.NoError(t, err)
	var at fieldpath.State
	for range 1000 {
		at, _ = s.EnterKey(at, "a")
	}
	require.LessOrEqual(t, len(at), 16)
}
