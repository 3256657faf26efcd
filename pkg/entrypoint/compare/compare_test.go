package compare_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"krt.dev/kn-krt/pkg/entrypoint/capture"
	"krt.dev/kn-krt/pkg/entrypoint/compare"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/schema"
	"krt.dev/kn-krt/pkg/schema/fieldpath"
)

const protos = `syntax = "proto3";
package t;
import "google/protobuf/any.proto";
import "google/protobuf/struct.proto";
enum Colour { NONE = 0; RED = 1; }
message Card { string number = 1; int64 code = 2; double limit = 3; }
message All {
  string text = 1;
  Card card = 2;
  repeated Card cards = 3;
  map<string, Card> named = 4;
  map<int32, string> labels = 5;
  google.protobuf.Struct extra = 6;
  google.protobuf.Any any = 7;
  bytes data = 8;
  double ratio = 9;
  float small = 10;
  Colour colour = 11;
  oneof one { string left = 12; All right = 13; }
  optional int32 maybe = 14;
  string secret = 15 [debug_redact = true];
  repeated double numbers = 16;
}
`

func files(t testing.TB) *protoregistry.Files {
	t.Helper()
	s, err := schema.Compile(t.Context(), fstest.MapFS{"t.proto": {Data: []byte(protos)}}, "t.proto", schema.Options{})
	require.NoError(t, err)
	return s.Registry()
}

func rules(t testing.TB, redact, ignore []string) compare.Rules {
	t.Helper()
	contract, err := capture.NewContract(files(t), capture.Settings{Redact: redact})
	require.NoError(t, err)
	set, err := fieldpath.Parse(ignore)
	require.NoError(t, err)
	return compare.Rules{Contract: contract, Ignore: set, Values: true}
}

// all returns the bytes of a t.All that is given as JSON.
func all(t testing.TB, text string) []byte {
	t.Helper()
	registry := files(t)
	d, err := registry.FindDescriptorByName("t.All")
	require.NoError(t, err)
	m := dynamicpb.NewMessage(d.(protoreflect.MessageDescriptor))
	require.NoError(t, protojson.UnmarshalOptions{Resolver: dynamicpb.NewTypes(registry)}.Unmarshal([]byte(text), m))
	data, err := proto.Marshal(m)
	require.NoError(t, err)
	return data
}

func field(path, published, canary string) inspection.Field {
	return inspection.Field{Path: path, Published: published, Canary: canary}
}

func TestResponses(t *testing.T) {
	for name, one := range map[string]struct {
		a, b           string
		redact, ignore []string
		tolerance      float64
		want           []inspection.Field
	}{
		"equal": {a: `{"text":"a"}`, b: `{"text":"a"}`},
		"text": {
			a: `{"text":"a\u001b[1m"}`, b: `{"text":"b"}`,
			want: []inspection.Field{field("text", `"a\x1b[1m"`, `"b"`)},
		},
		"not set and zero":  {a: `{"text":"a"}`, b: `{}`, want: []inspection.Field{field("text", `"a"`, `""`)}},
		"absent and zero":   {a: `{"maybe":0}`, b: `{}`, want: []inspection.Field{field("maybe", "0", "absent")}},
		"number":            {a: `{"ratio":1}`, b: `{"ratio":1.001}`, want: []inspection.Field{field("ratio", "1", "1.001")}},
		"number, tolerated": {a: `{"ratio":1}`, b: `{"ratio":1.001}`, tolerance: 0.001},
		"just not": {
			a: `{"ratio":1}`, b: `{"ratio":1.0011}`,
			tolerance: 0.001, want: []inspection.Field{field("ratio", "1", "1.0011")},
		},
		"not a number": {a: `{"ratio":"NaN"}`, b: `{"ratio":"NaN","text":""}`},
		"other signs": {
			a: `{"ratio":1e308}`, b: `{"ratio":-1e308}`,
			tolerance: 1, want: []inspection.Field{field("ratio", "1e+308", "-1e+308")},
		},
		"infinite": {
			a: `{"small":"Infinity"}`, b: `{"small":1}`,
			tolerance: 1, want: []inspection.Field{field("small", "+Inf", "1")},
		},
		"integers have none": {
			a: `{"card":{"code":"1000"}}`, b: `{"card":{"code":"1001"}}`,
			tolerance: 1, want: []inspection.Field{field("card.code", "1000", "1001")},
		},
		"enum":           {a: `{"colour":"RED"}`, b: `{"colour":7}`, want: []inspection.Field{field("colour", "RED", "7")}},
		"bytes":          {a: `{"data":"AQID"}`, b: `{}`, want: []inspection.Field{field("data", `"AQID"`, `""`)}},
		"absent message": {a: `{"card":{"number":"1"}}`, b: `{}`, want: []inspection.Field{field("card.number", `"1"`, `""`)}},
		"absent, empty":  {a: `{"card":{}}`, b: `{}`, want: []inspection.Field{field("card", "{}", "absent")}},
		"ignored": {
			a: `{"card":{"number":"1"},"text":"x"}`, b: `{"card":{"number":"2"},"text":"y"}`,
			ignore: []string{"card.number", "text"},
		},
		"ignored in a list": {a: `{"cards":[{"number":"1"}]}`, b: `{"cards":[{"number":"2"}]}`, ignore: []string{"cards.number"}},
		"ignored key":       {a: `{"named":{"a":{"number":"1"}}}`, b: `{"named":{}}`, ignore: []string{"named.a"}},
		"redacted": {
			a: `{"card":{"number":"1"}}`, b: `{"card":{"number":"2"}}`,
			redact: []string{"number"}, want: []inspection.Field{field("card.number", "[redacted]", "[redacted]")},
		},
		"redacted as a whole": {
			a: `{"named":{"secret":{"number":"1"}}}`, b: `{}`,
			redact: []string{"named"}, want: []inspection.Field{field("named", "[redacted]", "[redacted]")},
		},
		"redacted, ignored in": {
			a: `{"card":{"number":"1"}}`, b: `{"card":{"number":"2"}}`,
			redact: []string{"card"}, ignore: []string{"card.number"},
		},
		"redacted by an option": {
			a: `{"secret":"1"}`, b: `{"secret":"2"}`,
			want: []inspection.Field{field("secret", "[redacted]", "[redacted]")},
		},
		"lists": {
			a: `{"cards":[{"number":"1"},{"number":"2"}]}`, b: `{"cards":[{"number":"1"}]}`,
			want: []inspection.Field{field("cards[1].number", `"2"`, `""`)},
		},
		"list of numbers": {
			a: `{"numbers":[1,2]}`, b: `{"numbers":[1,2,3]}`,
			want: []inspection.Field{field("numbers[2]", "absent", "3")},
		},
		"maps": {
			a: `{"named":{"a":{"code":"1"},"b":{"code":"2"}},"labels":{"1":"x"}}`, b: `{"named":{"a":{"code":"3"},"c":{}}}`,
			want: []inspection.Field{
				field(`named["a"].code`, "1", "3"), field(`named["b"].code`, "2", "0"), field(`named["c"]`, "absent", "{}"),
				field("labels[1]", `"x"`, "absent"),
			},
		},
		"struct": {
			a: `{"extra":{"price":1,"list":[1,2],"kind":"a"}}`, b: `{"extra":{"price":2,"list":[1,null],"kind":{}}}`,
			want: []inspection.Field{
				field(`extra["kind"]`, `"a"`, "{…}"), field(`extra["list"][1]`, "2", "null"), field(`extra["price"]`, "1", "2"),
			},
		},
		"struct, ignored and tolerated": {
			a: `{"extra":{"price":1,"kind":"a"}}`, b: `{"extra":{"price":1.01,"kind":"b"}}`, ignore: []string{"extra.kind"}, tolerance: 0.01,
		},
		"any": {
			a: `{"any":{"@type":"x/t.Card","number":"1"}}`, b: `{"any":{"@type":"y/t.Card","number":"2"}}`,
			want: []inspection.Field{field("any.number", `"1"`, `"2"`)},
		},
		"any of another type": {
			a: `{"any":{"@type":"x/t.Card"}}`, b: `{"any":{"@type":"x/t.All"}}`,
			want: []inspection.Field{field("any.@type", `"x/t.Card"`, `"x/t.All"`)},
		},
		"oneof": {
			a: `{"left":"a"}`, b: `{"right":{"text":"b"}}`,
			want: []inspection.Field{field("left", `"a"`, "absent"), field("right.text", `""`, `"b"`)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := rules(t, one.redact, one.ignore)
			r.Tolerance = one.tolerance
			got, more, err := r.Responses("t.All", all(t, one.a), all(t, one.b))
			require.NoError(t, err)
			require.False(t, more)
			require.Equal(t, one.want, got)
		})
	}
}

func TestUnknownFields(t *testing.T) {
	add := func(number protowire.Number, value uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), value)
	}
	r := rules(t, nil, nil)
	for name, one := range map[string]struct {
		a, b []byte
		want []inspection.Field
	}{
		"what the canary adds": {nil, add(99, 1), nil},
		"what it lacks":        {add(99, 1), add(98, 1), []inspection.Field{field("99", "3 bytes", "absent")}},
		"another value":        {add(99, 1), add(99, 2), []inspection.Field{field("99", "3 bytes", "3 bytes")}},
		"in another order":     {append(add(99, 1), add(98, 1)...), append(add(98, 1), add(99, 1)...), nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := r.Responses("t.All", one.a, one.b)
			require.NoError(t, err)
			require.Equal(t, one.want, got)
		})
	}
}

// Without values, keys of maps are not shown either: they are values of the client too.
func TestNothingIsShown(t *testing.T) {
	r := rules(t, nil, nil)
	r.Values = false
	got, more, err := r.Responses("t.All", all(t, `{"named":{"ada":{"number":"1"},"bob":{"number":"1"}},"text":"a"}`), nil)
	require.NoError(t, err)
	require.False(t, more)
	require.Equal(t, []inspection.Field{{Path: "text"}, {Path: "named[…].number"}}, got)
}

func TestManyDifferences(t *testing.T) {
	r := rules(t, nil, nil)
	got, more, err := r.Responses("t.All", all(t, `{"numbers":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}`), nil)
	require.NoError(t, err)
	require.True(t, more)
	require.Len(t, got, inspection.MaxFields)
}

func TestDecodeFails(t *testing.T) {
	r := rules(t, nil, nil)
	_, _, err := r.Responses("t.All", nil, []byte("\x0a"))
	require.ErrorContains(t, err, "cannot decode the response of the canary")
	require.NotErrorIs(t, err, compare.ErrPublished)
	_, _, err = r.Responses("t.None", nil, []byte("\x0a"))
	require.ErrorIs(t, err, compare.ErrPublished)
	require.EqualError(t, err, "cannot decode the response of the published version: its type is not in the version's protos")
}

// FuzzResponses: a message is equal to itself, differences are found from both sides, and what
// is redacted is never shown.
func FuzzResponses(f *testing.F) {
	f.Add(all(f, `{"text":"a","card":{"number":"13371337"},"named":{"a":{"number":"13371337"}}}`), all(f, `{"extra":{"number":"13371337"}}`))
	f.Add(all(f, `{"any":{"@type":"x/t.Card","number":"13371337"},"right":{"right":{"right":{}}}}`), []byte("\x98\x06\x01"))
	f.Add(all(f, `{"numbers":["NaN",2],"cards":[{"limit":1},{}]}`), all(f, `{"numbers":[1],"cards":[{"limit":2}]}`))
	r := rules(f, []string{"number"}, []string{"card.limit"})
	r.Tolerance = 0.1
	f.Fuzz(func(t *testing.T, a, b []byte) {
		fields, more, err := r.Responses("t.All", a, b)
		require.LessOrEqual(t, len(fields), inspection.MaxFields)
		if more {
			require.Len(t, fields, inspection.MaxFields)
		}
		for _, one := range fields {
			require.LessOrEqual(t, len(one.Path)+len(one.Published)+len(one.Canary), 4096)
			if strings.HasSuffix(one.Path, ".number") {
				require.Equal(t, [2]string{"[redacted]", "[redacted]"}, [2]string{one.Published, one.Canary})
			}
		}
		same, _, sameErr := r.Responses("t.All", a, append(slices.Clone(a), 0x0a, 0)) // the text is empty then
		if err == nil && sameErr == nil {
			require.LessOrEqual(t, len(same), 1)
		}
	})
}
