package form

import (
	"net/url"
	"strconv"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"krt.dev/kn-krt/pkg/schema"
)

const contract = `syntax = "proto3";
package hotel;
import "google/protobuf/timestamp.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/wrappers.proto";
enum Season { LOW = 0; HIGH = 1; }
message Room { string host_name = 1; repeated int32 beds = 2; Room twin = 3; }
message Request {
  string city = 1;
  int64 nights = 2;
  double price = 3;
  bool internet = 4;
  optional bool pets = 5;
  bytes picture = 6;
  Season season = 7;
  Room room = 8;
  repeated Room others = 9;
  map<string, Room> named = 10;
  repeated string tags = 11;
  oneof pay { string card = 12; Room barter = 13; }
  google.protobuf.Timestamp at = 14;
  google.protobuf.Struct extra = 15;
  google.protobuf.Int32Value floor = 16;
}
service Entrypoint {
  rpc Book(Request) returns (Request);
  rpc Say(google.protobuf.StringValue) returns (Request);
}
`

func message(t testing.TB, rpc string) (protoreflect.MessageDescriptor, *dynamicpb.Types) {
	t.Helper()
	s, err := schema.Compile(t.Context(), fstest.MapFS{"p.proto": {Data: []byte(contract)}}, "p.proto", schema.Options{})
	require.NoError(t, err)
	method, err := s.Method(rpc)
	require.NoError(t, err)
	return method.Input(), dynamicpb.NewTypes(s.Registry())
}

const full = `{
	"city": "New York", "nights": "3", "price": 12.5, "internet": true, "pets": false, "picture": "AAE=", "season": "HIGH",
	"room": {"hostName": "Ana", "beds": [1, 2], "twin": {"hostName": "Bo"}}, "others": [{"hostName": "Cy"}, {}],
	"named": {"a": {"hostName": "Di"}, "b": {}}, "tags": ["", "x"], "barter": {"beds": [7]},
	"at": "2026-01-31T12:00:00Z", "extra": {"k": [1, null]}, "floor": 4
}`

// sent is what a browser sends of the fields.
func sent(fields []Field, to url.Values) url.Values {
	for _, f := range fields {
		switch f.Kind {
		case Message:
			if f.Present && f.Input != "" {
				to.Set(f.Input, "1")
			}
		case Flag:
			if f.Value == "true" {
				to.Set(f.Input, "true")
			}
		default:
			to.Set(f.Input, f.Value)
		}
		sent(f.Fields, to)
	}
	return to
}

func TestAFormBringsBackWhatItShows(t *testing.T) {
	desc, types := message(t, "Book")
	m := dynamicpb.NewMessage(desc)
	require.NoError(t, protojson.UnmarshalOptions{Resolver: types}.Unmarshal([]byte(full), m))
	fields, cut := New(m).Fields()
	require.False(t, cut)
	back := dynamicpb.NewMessage(desc)
	text := Read(desc, sent(fields, url.Values{})).JSON()
	require.NoError(t, protojson.UnmarshalOptions{Resolver: types}.Unmarshal(text, back), "%s", text)
	again, err := protojson.Marshal(back)
	require.NoError(t, err)
	require.JSONEq(t, full, string(again))
}

func TestAWellKnownTypeAsTheWholeMessage(t *testing.T) {
	desc, _ := message(t, "Say")
	f := Read(desc, url.Values{"f:": {"hi"}})
	require.Equal(t, `"hi"`, string(f.JSON()))
	fields, _ := f.Fields()
	require.Equal(t, []Field{{Input: "f:", Label: "value", Type: "StringValue", Kind: Text, Value: "hi"}}, fields)
}

func TestNothingIsSentOfAnEmptyForm(t *testing.T) {
	desc, _ := message(t, "Book")
	fields, _ := Read(desc, nil).Fields()
	require.Equal(t, "{}", string(Read(desc, sent(fields, url.Values{})).JSON()))
	kinds := map[string]Kind{}
	for _, f := range fields {
		kinds[f.Label] = f.Kind
	}
	require.Equal(t, map[string]Kind{
		"city": Text, "nights": Number, "price": Number, "internet": Flag, "pets": Choice, "picture": Text, "season": Choice,
		"room": Message, "others": List, "named": List, "tags": List, "pay": Oneof, "at": Text, "extra": JSON, "floor": Text,
	}, kinds)
}

func TestChanges(t *testing.T) {
	desc, _ := message(t, "Book")
	for _, c := range []struct{ sent, order, want string }{
		{"", "add:room", `{"room":{}}`},
		{"p:room=1", "add:room.twin", `{"room":{"twin":{}}}`},
		{"p:room=1&f:room.host_name=Ana", "remove:room", `{}`},
		{"", "add:tags", `{"tags":[""]}`},
		{"n:tags=2&f:tags.0=a&f:tags.1=b", "remove:tags.0", `{"tags":["b"]}`},
		{"n:others=1&f:others.0.host_name=Ana", "add:others.0.beds", `{"others":[{"hostName":"Ana","beds":[""]}]}`},
		{"", "add:named", `{"named":{"":{}}}`},
		{"n:named=1&f:named.0.key=a", "add:named.0.value.beds", `{"named":{"a":{"beds":[""]}}}`},
		{"n:named=1&f:named.0.key=a", "remove:named.0", `{}`},
		{"o:pay=barter", "", `{"barter":{}}`},
		{"o:pay=card&f:card=", "", `{"card":""}`},
		{"o:pay=card&f:card=1&f:barter.host_name=x", "add:barter.beds", `{"card":"1"}`},
		{"f:city=x", "add:city", `{"city":"x"}`},
		{"", "add:room.host_name.x", `{}`},
		{"n:tags=1", "remove:tags.7", `{"tags":[""]}`},
		{"n:tags=1", "add:tags.0.x", `{"tags":[""]}`},
		{"", "add", `{}`},
	} {
		values, err := url.ParseQuery(c.sent)
		require.NoError(t, err)
		f := Read(desc, values)
		f.Change(c.order)
		require.Equal(t, c.want, string(f.JSON()), "%s after %s", c.order, c.sent)
	}
}

func TestFormsAreBounded(t *testing.T) {
	desc, _ := message(t, "Book")
	values := url.Values{"n:tags": {"1000000"}, "n:others": {"1000000"}}
	path := "room"
	for range 3 * MaxDepth {
		values.Set(inputPresent+path, "1")
		path += ".twin"
	}
	for i := range MaxItems {
		values.Set("n:others."+strconv.Itoa(i)+".beds", "1000000")
	}
	fields, cut := Read(desc, values).Fields()
	require.True(t, cut)
	require.LessOrEqual(t, count(fields), 2*MaxFields)
	f := Read(desc, url.Values{"n:tags": {strconv.Itoa(MaxItems)}})
	before := string(f.JSON())
	f.Change("add:tags")
	require.Equal(t, before, string(f.JSON()))
}

func count(fields []Field) (n int) {
	for _, f := range fields {
		n += 1 + count(f.Fields)
	}
	return n
}

func FuzzRead(f *testing.F) {
	desc, types := message(f, "Book")
	f.Add("p:room=1&n:others=2&o:pay=barter", "add:others.0.beds")
	f.Add("f:extra={&f:at=now&f:nights=x", "remove:others.0")
	f.Fuzz(func(t *testing.T, query, order string) {
		values, _ := url.ParseQuery(query)
		form := Read(desc, values)
		form.Change(order)
		text := form.JSON()
		m := dynamicpb.NewMessage(desc)
		_ = protojson.UnmarshalOptions{Resolver: types}.Unmarshal(text, m)
		fields, _ := New(m).Fields()
		require.LessOrEqual(t, count(fields), 3*MaxFields)
		form.Fields()
	})
}
