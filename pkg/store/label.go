package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxLabel limits a label in bytes. A value of a prediction may have megabytes, and a summary has
// thousands of labels.
const maxLabel = 100

var (
	numeric      = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
	smallInteger = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,2})$`)
)

// LabelOf is a value of a prediction as a label: one of more than 100 bytes is cut, and ends with
// a hash of all of it, so that two labels are equal if the values are.
func LabelOf(value string) string {
	if len(value) <= maxLabel {
		return strings.ToValidUTF8(value, "\ufffd")
	}
	sum := sha256.Sum256([]byte(value))
	cut := maxLabel - 20
	for !utf8.RuneStart(value[cut]) {
		cut--
	}
	return strings.ToValidUTF8(value[:cut], "\ufffd") + "…" + hex.EncodeToString(sum[:8])
}

// IsLabel reports whether a pair of values is one of labels: not both are numbers, as JSON
// writes them, or both are integers of at most three digits. Other numbers have no accuracy;
// how far they are from each other is counted.
func IsLabel(p Pair) bool {
	return !numeric.MatchString(p.True) || !numeric.MatchString(p.Predicted) ||
		smallInteger.MatchString(p.True) && smallInteger.MatchString(p.Predicted)
}

// NumberOf is a value of a prediction as a number, if it is one of JSON's of at most [MaxNumber].
func NumberOf(value string) (float64, bool) {
	var n json.Number
	if strings.HasPrefix(strings.TrimSpace(value), `"`) || json.Unmarshal([]byte(value), &n) != nil || n == "" {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil && math.Abs(f) <= MaxNumber
}
