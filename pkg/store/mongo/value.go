package mongo

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
)

// keyOurs is the field of a document that the store adds, and does not return: when it was
// saved, which no field of the original's documents has, and, where BSON cannot have it as it
// was, the document's JSON.
const keyOurs = "_krt"

type ours struct {
	At   int64  `bson:"at"` // nanoseconds since 1970, unique in one store
	JSON string `bson:"json,omitempty"`
}

// encoder makes values of BSON. Changed becomes true when one is not exactly what was saved.
type encoder struct {
	dialect

	changed bool
}

// dialect is what a server lacks of MongoDB.
type dialect struct {
	// flat servers have no arrays within arrays, and differ in paths with the place of an
	// element: FerretDB.
	flat bool
}

// encode returns a document with its keys in the order of their names, so that objects are
// equal if they have the same members.
func (d dialect) encode(document store.Document, at int64) (bson.D, error) {
	e := &encoder{dialect: d}
	fields := e.object(document)
	if i := slices.IndexFunc(fields, func(field bson.E) bool { return field.Key == wire.KeyID }); i >= 0 {
		fields[0], fields[i] = fields[i], fields[0]
		fields[0].Value = id(fields[0].Value)
	}
	own := ours{At: at}
	if e.changed {
		text, err := store.Encode(document)
		if err != nil {
			return nil, err
		}
		own.JSON = string(text)
	}
	return append(fields, bson.E{Key: keyOurs, Value: own}), nil
}

func (e *encoder) object(object map[string]any) bson.D {
	fields := make(bson.D, 0, len(object)+1)
	for key, member := range object {
		fields = append(fields, bson.E{Key: e.key(key), Value: e.value(member)})
	}
	slices.SortFunc(fields, func(a, b bson.E) int { return strings.Compare(a.Key, b.Key) })
	return fields
}

// keyEscapes are for what not every server takes in a key, and no query can name.
func keyEscapes() *strings.Replacer {
	return strings.NewReplacer("$", "＄", ".", "．", "\x00", "␀")
}

func (e *encoder) key(key string) string {
	if key != "" && key != keyOurs && !strings.ContainsAny(key, "$.\x00") {
		return key
	}
	e.changed = true
	if key == "" || key == keyOurs {
		return "＿" + key
	}
	return keyEscapes().Replace(key)
}

func (e *encoder) value(value any) any {
	switch v := value.(type) {
	case map[string]any:
		return e.object(v)
	case []any:
		list := make(bson.A, len(v))
		for i, element := range v {
			if _, nested := element.([]any); nested && e.flat {
				e.changed = true
				element = map[string]any{"array": true}
			}
			list[i] = e.value(element)
		}
		return list
	case json.Number:
		return e.number(v)
	}
	return value
}

// number is an integer of 64 bits if it is one, else a double. Integers beyond have to be
// kept as text besides.
func (e *encoder) number(n json.Number) any {
	if i, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return i
	}
	f, err := n.Float64()
	if err != nil || !strings.ContainsAny(string(n), ".eE") {
		e.changed = true
	}
	return f
}

// id is an "_id": an ObjectId if it looks like one.
func id(value any) any {
	if text, ok := value.(string); ok {
		if id, err := bson.ObjectIDFromHex(text); err == nil && id.Hex() == text {
			return id
		}
	}
	return value
}

// decoded is a document as it is returned.
type decoded struct {
	json json.RawMessage
	ours *ours // nil of one that another program wrote
	id   bson.RawValue
}

// decode returns a document without what is ours.
func decode(raw bson.Raw) (d decoded, err error) {
	d.id = raw.Lookup(wire.KeyID)
	if own, err := raw.LookupErr(keyOurs); err == nil {
		d.ours = &ours{}
		if err := own.Unmarshal(d.ours); err != nil {
			return d, err
		}
		if d.ours.JSON != "" {
			d.json = json.RawMessage(d.ours.JSON)
			return d, nil
		}
	}
	w := &writer{lenient: d.ours == nil}
	err = w.document(raw, true)
	d.json = w.text
	return d, err
}

// writer writes BSON as JSON.
type writer struct {
	text json.RawMessage
	// lenient writes a double that is a whole number as an integer: the original's numbers are
	// doubles all.
	lenient bool
}

func (w *writer) document(raw bson.Raw, top bool) error {
	elements, err := raw.Elements()
	if err != nil {
		return err
	}
	separator := byte('{')
	for _, element := range elements {
		if top && element.Key() == keyOurs {
			continue
		}
		w.text = append(w.text, separator)
		separator = ','
		w.string(element.Key())
		w.text = append(w.text, ':')
		if err := w.value(element.Value()); err != nil {
			return err
		}
	}
	if separator == '{' {
		w.text = append(w.text, '{')
	}
	w.text = append(w.text, '}')
	return nil
}

func (w *writer) array(raw bson.RawArray) error {
	values, err := raw.Values()
	if err != nil {
		return err
	}
	w.text = append(w.text, '[')
	for i, value := range values {
		if i > 0 {
			w.text = append(w.text, ',')
		}
		if err := w.value(value); err != nil {
			return err
		}
	}
	w.text = append(w.text, ']')
	return nil
}

func (w *writer) string(s string) {
	text, _ := store.Encode(s)
	w.text = append(w.text, text...)
}

// value writes a value. Types that JSON does not have become text, as users see them.
func (w *writer) value(v bson.RawValue) error {
	switch v.Type {
	case bson.TypeEmbeddedDocument:
		return w.document(v.Document(), false)
	case bson.TypeArray:
		return w.array(v.Array())
	case bson.TypeString:
		w.string(v.StringValue())
	case bson.TypeDouble:
		w.double(v.Double())
	case bson.TypeInt32:
		w.text = strconv.AppendInt(w.text, int64(v.Int32()), 10)
	case bson.TypeInt64:
		w.text = strconv.AppendInt(w.text, v.Int64(), 10)
	case bson.TypeBoolean:
		w.text = strconv.AppendBool(w.text, v.Boolean())
	case bson.TypeNull, bson.TypeUndefined:
		w.text = append(w.text, "null"...)
	default:
		return w.foreign(v)
	}
	return nil
}

func (w *writer) foreign(v bson.RawValue) error {
	switch v.Type {
	case bson.TypeObjectID:
		w.string(v.ObjectID().Hex())
	case bson.TypeDateTime:
		w.string(v.Time().UTC().Format(time.RFC3339Nano))
	case bson.TypeDecimal128:
		w.string(v.Decimal128().String())
	case bson.TypeBinary:
		_, data := v.Binary()
		w.string(base64.StdEncoding.EncodeToString(data))
	case bson.TypeSymbol:
		w.string(v.Symbol())
	default:
		text, err := bson.MarshalExtJSON(bson.D{{Key: "v", Value: v}}, false, false)
		if err != nil {
			return err
		}
		w.text = append(w.text, text[len(`{"v":`):len(text)-1]...)
	}
	return nil
}

func (w *writer) double(f float64) {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		w.text = append(w.text, "null"...)
	case w.lenient && f == math.Trunc(f) && math.Abs(f) < 1<<53:
		w.text = strconv.AppendInt(w.text, int64(f), 10)
	default:
		text := strconv.FormatFloat(f, 'g', -1, 64)
		if !strings.ContainsAny(text, ".e") {
			text += ".0"
		}
		w.text = append(w.text, text...)
	}
}
