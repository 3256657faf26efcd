package prediction

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"

	"krt.dev/kn-krt/pkg/data/quality"
)

// None is the text of a figure of which nothing is known.
const None = "–"

// Visible is a label as people read it: characters that cannot be seen, or that change the order
// of others, are written as escapes, and so are spaces at its ends. All others together have a
// word that no label can have, because a value is never empty.
func Visible(label string) string {
	if label == quality.Others {
		return "(all others)"
	}
	var b strings.Builder
	last := len(strings.TrimRight(label, " "))
	for i, r := range label {
		edge := r == ' ' && (i >= last || strings.TrimLeft(label[:i], " ") == "")
		if edge || !unicode.IsPrint(r) || unicode.Is(unicode.Cf, r) {
			fmt.Fprintf(&b, `\u{%x}`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// percent is a share of one as a percentage. What is not all of it is never shown as 100 %, and
// what is not nothing never as 0 %.
func percent(share float64) string {
	p := share * 100
	switch {
	case p > 0 && p < 0.1:
		return "< 0.1 %"
	case p < 100 && p >= 99.95:
		return "> 99.9 %"
	case p == math.Trunc(p):
		return strconv.FormatFloat(p, 'f', 0, 64) + " %"
	}
	return strconv.FormatFloat(p, 'f', 1, 64) + " %"
}

// part is a number as a percentage of another one.
func part(n, of int64) string {
	if of == 0 {
		return None
	}
	return percent(float64(n) / float64(of))
}

// shareOf is a share, and interval its interval of 95 %; both are None or empty if there is none.
func shareOf(s *quality.Share) string {
	if s == nil {
		return None
	}
	return percent(s.Value)
}

func interval(s *quality.Share) string {
	if s == nil || s.Interval == nil {
		return ""
	}
	return percent(s.Interval[0]) + " to " + percent(s.Interval[1])
}

// count is a whole number with a narrow space between groups of three digits.
func count(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "\u202f" + text[i:]
	}
	return text
}

// number is a number with four significant digits.
func number(f float64) string {
	if a := math.Abs(f); a >= 1e4 && a < 1e9 {
		return count(int64(math.Round(f)))
	}
	return strconv.FormatFloat(f, 'g', 4, 64)
}
