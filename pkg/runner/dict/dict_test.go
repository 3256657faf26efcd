package dict_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/structpb"

	"krt.dev/kn-krt/pkg/runner/dict"
)

const testFile = `name: "t.proto" package: "t" syntax: "proto3"
enum_type { name: "Kind" value { name: "NONE" number: 0 } value { name: "BIG" number: 7 } }
message_type { name: "Item" field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL json_name: "name" } }
message_type { name: "All"
  field { name: "big_id" number: 1 type: TYPE_INT64 label: LABEL_OPTIONAL json_name: "bigId" }
  field { name: "price" number: 2 type: TYPE_DOUBLE label: LABEL_OPTIONAL json_name: "price" }
  field { name: "raw" number: 3 type: TYPE_BYTES label: LABEL_OPTIONAL json_name: "raw" }
  field { name: "kind" number: 4 type: TYPE_ENUM type_name: ".t.Kind" label: LABEL_OPTIONAL json_name: "kind" }
  field { name: "items" number: 5 type: TYPE_MESSAGE type_name: ".t.Item" label: LABEL_REPEATED json_name: "items" }
  field { name: "one" number: 6 type: TYPE_MESSAGE type_name: ".t.Item" label: LABEL_OPTIONAL json_name: "one" }
  field { name: "text" number: 7 type: TYPE_STRING label: LABEL_OPTIONAL json_name: "text" }
  field { name: "flag" number: 8 type: TYPE_BOOL label: LABEL_OPTIONAL json_name: "flag" }
  field { name: "counts" number: 9 type: TYPE_MESSAGE type_name: ".t.All.CountsEntry" label: LABEL_REPEATED json_name: "counts" }
  field { name: "share" number: 11 type: TYPE_FLOAT label: LABEL_OPTIONAL json_name: "share" }
  field { name: "huge" number: 10 type: TYPE_UINT64 label: LABEL_OPTIONAL json_name: "huge" }
  nested_type { name: "CountsEntry" options { map_entry: true }
    field { name: "key" number: 1 type: TYPE_INT32 label: LABEL_OPTIONAL json_name: "key" }
    field { name: "value" number: 2 type: TYPE_INT32 label: LABEL_OPTIONAL json_name: "value" } } }`

func all(t *testing.T) protoreflect.MessageDescriptor {
	t.Helper()
	file := &descriptorpb.FileDescriptorProto{}
	if err := prototext.Unmarshal([]byte(testFile), file); err != nil {
		t.Fatal(err)
	}
	built, err := protodesc.NewFile(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	return built.Messages().ByName("All")
}

// encoded is the data of the message that carries text.
func encoded(t *testing.T, text string) (name string, data []byte) {
	t.Helper()
	name, data, err := dict.Encode([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return name, data
}

func TestAValueIsTheSameOnTheOtherSide(t *testing.T) {
	for _, text := range []string{
		`{}`,
		`{"z":1,"a":2,"m":3}`,
		`{"whole":2,"float":2.0,"part":2.5,"large":1e+22,"small":1e-09}`,
		`{"id":9007199254740993,"most":18446744073709551615,"least":-9223372036854775808}`,
		`{"text":"9007199254740993","quote":"a\"b\\","line":"x\ny","accent":"é"}`,
		`{"none":null,"yes":true,"no":false,"list":[1,[2,[]],{"a":{}}],"empty":""}`,
		`{"nan":NaN,"more":Infinity,"less":-Infinity,"text":"NaN and Infinity"}`,
		`[1,2.0,"x"]`, `"text"`, `5`, `null`,
	} {
		name, data := encoded(t, text)
		got, err := dict.Decode(name, data, nil, 0)
		if err != nil || string(got) != text {
			t.Errorf("%s became %s, %v", text, got, err)
		}
	}
}

func TestOthersReadAStructOfOurs(t *testing.T) {
	name, data := encoded(t, `{"a":2.0,"b":[true,null],"c":"x"}`)
	if name != dict.StructName {
		t.Errorf("it is a %s", name)
	}
	got := &structpb.Struct{}
	if err := proto.Unmarshal(data, got); err != nil {
		t.Fatal(err)
	}
	want, _ := structpb.NewStruct(map[string]any{"a": 2, "b": []any{true, nil}, "c": "x"})
	got.Fields["a"].ProtoReflect().SetUnknown(nil)
	if !proto.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestWeReadAStructOfOthers(t *testing.T) {
	value, _ := structpb.NewStruct(map[string]any{"n": 3.0, "x": 0.5, "l": []any{"a"}})
	data, _ := proto.Marshal(value)
	text, err := dict.Decode(dict.StructName, data, nil, 0)
	got := map[string]any{}
	if err != nil || json.Unmarshal(text, &got) != nil || len(got) != 3 || !strings.Contains(string(text), `"n":3`) {
		t.Errorf("got %s, %v", text, err)
	}
}

func TestAMessageBecomesADictAsInTheOriginal(t *testing.T) {
	descriptor := all(t)
	find := func(string) protoreflect.MessageDescriptor { return descriptor }
	for given, want := range map[string]string{
		`{}`: `{"big_id":0,"price":0.0,"raw":"","kind":0,"items":[],"text":"","flag":false,"counts":{},"huge":0,"share":0.0}`,
		`{"bigId":"9007199254740993","price":2,"raw":"/w==","kind":"BIG",` +
			`"items":[{"name":"a"}],"one":{},"text":"<é>","flag":true,"counts":{"3":4}}`: `{"big_id":9007199254740993,` +
			`"price":2.0,"raw":"/w==","kind":7,` +
			`"items":[{"name":"a"}],"one":{"name":""},` +
			`"text":"\u003cé\u003e","flag":true,"counts":{"3":4},"huge":0,"share":0.0}`,
	} {
		m := dynamicpb.NewMessage(descriptor)
		if err := protojson.Unmarshal([]byte(given), m); err != nil {
			t.Fatal(err)
		}
		data, _ := proto.Marshal(m)
		got, err := dict.Decode("t.All", data, find, 0)
		if err != nil || string(got) != want {
			t.Errorf("got %s, %v\nwant %s", got, err, want)
		}
		name, data := encoded(t, string(got))
		back, err := dict.Message(descriptor, name, data)
		again := dynamicpb.NewMessage(descriptor)
		if err != nil || proto.Unmarshal(back, again) != nil || !proto.Equal(m, again) {
			t.Errorf("came back as %v, %v", again, err)
		}
	}
}

func TestADictThatIsNoMessage(t *testing.T) {
	descriptor := all(t)
	for text, want := range map[string]string{
		`{"txt":"a"}`:             `t.All has no field "txt": it has big_id, price, raw, kind, items, one, text, flag, counts, share, huge`,
		`{"bigId":1}`:             `t.All has no field "bigId"`,
		`{"text":5}`:              `field "text" must be a text (string), not the number 5`,
		`{"items":[{"name":[]}]}`: `field "items[0].name" must be a text (string), not a list`,
		`{"items":[{"nam":""}]}`:  `t.Item has no field "nam" (in "items[0]"): it has name`,
		`{"items":{}}`:            `field "items" must be a list, not a dict`,
		`{"big_id":1.5}`:          `field "big_id" must be of type int64, not the number 1.5`,
		`{"big_id":"12"}`:         `field "big_id" must be of type int64, not the text "12"`,
		`{"counts":{"x":1}}`:      `field "counts.x" must be of type int32`,
		`{"counts":{"1":null}}`:   `field "counts.1" must be of type int32, not null (None)`,
		`{"counts":{"1":3e9}}`:    `field "counts.1" must be of type int32, not the number 3e+09`,
		`{"kind":"SMALL"}`:        `field "kind": t.Kind has no value "SMALL"`,
		`{"raw":"!"}`:             `field "raw" is bytes: its text must be base64`,
		`{"huge":-1}`:             `field "huge" must be of type uint64, not the number -1`,
		`{"one":"x"}`:             `field "one" must be a dict with the fields of t.Item, not the text "x"`,
		`{"kind":NaN}`:            `field "kind" must be a value of t.Kind, not the number NaN`,
		`{"price":1` + strings.Repeat("0", 400) + `}`:            `field "price" must be of type double, not the number 1000`,
		`{"items":[{"name":1` + strings.Repeat("0", 400) + `}]}`: `field "items[0].name" must be a text (string), not the number 1000`,
		`{"share":1e39}`:           `field "share" must be of type float, not the number 1e+39`,
		`[]`:                       `the value must be a dict with the fields of t.All, not a list`,
		`null`:                     `not null (None)`,
		`{"price":null,"text":{}}`: `field "text" must be a text (string), not a dict`,
	} {
		name, data := encoded(t, text)
		if _, err := dict.Message(descriptor, name, data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestWhatPythonTakesForANumber(t *testing.T) {
	descriptor := all(t)
	name, data := encoded(t, `{"big_id":true,"price":1,"flag":0,"kind":"BIG","huge":18446744073709551615,"counts":{"1":2.0}}`)
	got, err := dict.Message(descriptor, name, data)
	m := dynamicpb.NewMessage(descriptor)
	if err != nil || proto.Unmarshal(got, m) != nil {
		t.Fatal(err)
	}
	want := dynamicpb.NewMessage(descriptor)
	text := `{"bigId":1,"price":1,"kind":"BIG","huge":"18446744073709551615","counts":{"1":2}}`
	if err := protojson.Unmarshal([]byte(text), want); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(m, want) {
		t.Errorf("got %v", m)
	}
}

func TestWhatCannotBeDecoded(t *testing.T) {
	none := func(string) protoreflect.MessageDescriptor { return nil }
	if _, err := dict.Decode("t.Other", nil, none, 0); err == nil || !strings.Contains(err.Error(), "t.Other is not in the version's protos") {
		t.Error(err)
	}
	deep := strings.Repeat("[", 300) + strings.Repeat("]", 300)
	if _, _, err := dict.Encode([]byte(deep)); err == nil || !strings.Contains(err.Error(), "nested deeper") {
		t.Error(err)
	}
	for _, text := range []string{``, `{`, `{"a":}`, `{} {}`, `{"a":"`, `nope`} {
		if _, _, err := dict.Encode([]byte(text)); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
	if _, err := dict.Decode(dict.StructName, []byte{0x0a, 0x7f}, none, 0); err == nil {
		t.Error("cut off data is taken")
	}
}

func FuzzDecode(f *testing.F) {
	_, data, _ := dict.Encode([]byte(`{"a":[1,2.0,"x",null,true,9007199254740993]}`))
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		text, err := dict.Decode(dict.StructName, data, nil, 0)
		if err != nil {
			return
		}
		if _, _, err := dict.Encode(text); err != nil {
			t.Errorf("%q became %s: %v", data, text, err)
		}
	})
}

// Two bytes that become many are refused before anything is made of them.
func TestAMessageTooLargeAsADict(t *testing.T) {
	descriptor := all(t)
	find := func(string) protoreflect.MessageDescriptor { return descriptor }
	items := descriptor.Fields().ByName("items").Number()
	data := bytes.Repeat(protowire.AppendBytes(protowire.AppendTag(nil, items, protowire.BytesType), nil), 1000)
	if _, err := dict.Decode("t.All", data, find, 8*len(data)); err != nil {
		t.Errorf("within the limit: %v", err)
	}
	if _, err := dict.Decode("t.All", data, find, 4*len(data)); !errors.Is(err, dict.ErrTooLarge) {
		t.Errorf("a list: %v", err)
	}
	text := descriptor.Fields().ByName("text").Number()
	data = protowire.AppendString(protowire.AppendTag(nil, text, protowire.BytesType), strings.Repeat("\x01", 1000))
	if _, err := dict.Decode("t.All", data, find, 3000); !errors.Is(err, dict.ErrTooLarge) {
		t.Errorf("a text: %v", err)
	}
}
