package dict

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// number makes a value of one of the numeric kinds, bool among them. It is not ok
// where the kind does not have that value.
func number(kind protoreflect.Kind, value any) (one protoreflect.Value, ok bool) {
	n, ok := numeralOf(value)
	if !ok {
		return one, false
	}
	switch kind {
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(n.double), !n.beyond
	case protoreflect.FloatKind:
		single := float32(n.double)
		return protoreflect.ValueOfFloat32(single), !n.beyond && math.IsInf(float64(single), 0) == math.IsInf(n.double, 0)
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(n.whole == 1), n.within(0, 1)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(n.whole)), n.within(math.MinInt32, math.MaxInt32)
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(n.whole)), n.within(math.MinInt32, math.MaxInt32)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(n.natural)), n.isNatural && n.natural <= math.MaxUint32
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(n.whole), n.isWhole
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(n.natural), n.isNatural
	}
	return one, false
}

// numeral is a number as each kind of field may want it.
type numeral struct {
	double             float64
	whole              int64
	natural            uint64
	isWhole, isNatural bool
	beyond             bool // greater than a double can be, and not Infinity
}

func (n numeral) within(least, most int64) bool {
	return n.isWhole && n.whole >= least && n.whole <= most
}

// numeralOf reads a number, or a bool, which is one in Python.
func numeralOf(value any) (n numeral, ok bool) {
	switch v := value.(type) {
	case bool:
		if v {
			return numeral{double: 1, whole: 1, natural: 1, isWhole: true, isNatural: true}, true
		}
		return numeral{isWhole: true, isNatural: true}, true
	case json.Number:
		return parseNumeral(v.String())
	}
	return n, false
}

func parseNumeral(literal string) (n numeral, ok bool) {
	var err error
	if n.double, err = strconv.ParseFloat(literal, 64); errors.Is(err, strconv.ErrSyntax) {
		return n, false // a key of a map
	}
	n.beyond = err != nil && strings.TrimPrefix(literal, "-") != literalInfinity
	if literal == literalNaN {
		n.double = math.NaN()
	}
	if n.whole, err = strconv.ParseInt(literal, 10, 64); err == nil {
		n.isWhole = true
	}
	if n.natural, err = strconv.ParseUint(literal, 10, 64); err == nil {
		n.isNatural = true
	}
	if !n.isWhole && !n.isNatural && n.double == math.Trunc(n.double) && math.Abs(n.double) <= 1<<53 { // 2.0
		n.whole, n.natural = int64(n.double), uint64(max(n.double, 0))
		n.isWhole, n.isNatural = true, n.double >= 0
	}
	return n, true
}
