package picture

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/legible"
)

// figure is a number with its unit. Class is "" or "bad".
type figure struct{ Class, Text string }

// failures and again are the signs before a rate of failures and of retries.
const (
	failures = "✕ "
	again    = "↻ "
)

// Rate returns how often something happens, from so many a second: "12/s", "3/min". It is
// empty for 0.
func Rate(perSecond float64) string {
	number, unit := rate(perSecond)
	if number == "" {
		return ""
	}
	return number + "/" + map[string]string{"second": "s", "minute": "min"}[unit]
}

// rate is a number and "second" or "minute".
func rate(perSecond float64) (number, unit string) {
	switch perMinute := perSecond * 60; {
	case !(perSecond > 0) || math.IsInf(perSecond, 0):
		return "", ""
	case perMinute < 0.095:
		return "<0.1", "minute"
	case perSecond < 0.095:
		return Number(perMinute), "minute"
	}
	return Number(perSecond), "second"
}

// Number returns a positive number with two or three significant digits: "0.0033", "0.42", "1.5",
// "12", "123", "1.2k", "12k", "1.2M".
func Number(n float64) string {
	for _, suffix := range []string{"", "k", "M", "G"} {
		if n < 999.5 || suffix == "G" {
			return digits(n) + suffix
		}
		n /= 1000
	}
	return ""
}

// digits rounds to a tenth below 10, to a hundredth below 1, and to two digits below a tenth.
func digits(n float64) string {
	places := 0
	switch {
	case n < 0.0001:
		return "<0.0001"
	case n < 0.0995:
		return strconv.FormatFloat(n, 'g', 2, 64)
	case n < 0.995:
		places = 2
	case n < 9.95:
		places = 1
	}
	text := strconv.FormatFloat(n, 'f', places, 64)
	if places > 0 {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// Duration returns a time with two or three significant digits: "340 µs", "6.1 ms", "1.2 s",
// "3 min". It is empty for 0.
func Duration(d time.Duration) string {
	const space = "\u00a0"
	switch {
	case d <= 0:
		return ""
	case d < time.Millisecond:
		return digits(float64(d)/float64(time.Microsecond)) + space + "µs"
	case d < time.Second:
		return digits(float64(d)/float64(time.Millisecond)) + space + "ms"
	case d < 2*time.Minute:
		return digits(d.Seconds()) + space + "s"
	}
	return digits(d.Minutes()) + space + "min"
}

// loadFigures are the numbers of a load; none if it is idle.
func loadFigures(l source.Load) []figure {
	var out []figure
	out = add(out, "", "", Rate(l.PerSecond))
	out = add(out, "", "p95 ", Duration(l.P95))
	return add(out, "bad", failures, Rate(l.Errors))
}

func add(to []figure, class, before, text string) []figure {
	if text == "" {
		return to
	}
	return append(to, figure{class, before + text})
}

// loadWords are the same as a sentence.
func loadWords(l source.Load, what string) string {
	if Rate(l.PerSecond) == "" {
		return "idle"
	}
	words := often(l.PerSecond, what)
	if l.P95 > 0 {
		words += fmt.Sprintf(", 50 %% within %s, 95 %% within %s", Duration(l.P50), Duration(l.P95))
	}
	if l.Errors > 0 {
		words += ", " + often(l.Errors, "failure")
	}
	return words
}

// often is how often something happens, in words.
func often(perSecond float64, what string) string {
	number, unit := rate(perSecond)
	plural := "s"
	if number == "1" {
		plural = ""
	}
	return number + " " + what + plural + " a " + unit
}

// podFigures are how many pods a node has, unless it has none, which its word says, or that is
// not known.
func podFigures(s Step) []figure {
	if s.Pods <= 0 {
		return nil
	}
	return []figure{{Text: legible.Count(s.Pods, "pod")}}
}

func podWords(s Step) string {
	var words []string
	switch {
	case s.State == source.Asleep:
		words = append(words, "no pods, it starts with the next request")
	case s.Pods > 0:
		words = append(words, legible.Count(s.Pods, "pod"))
	}
	if s.GPU {
		words = append(words, "needs "+cmp.Or(s.GPUs, "a GPU"))
	}
	return strings.Join(words, ", ")
}

// events is the edge of what is sent to a node.
func events(to string, n *source.NodeNumbers) *edge {
	e := &edge{}
	if Rate(n.PerSecond+n.Retries+n.GaveUp) == "" {
		return e
	}
	e.Above = add(nil, "", "", Rate(n.PerSecond))
	e.Below = add(nil, "", "waits ", Duration(n.Waited))
	e.Below = add(e.Below, "", again, Rate(n.Retries))
	e.Below = add(e.Below, "bad", failures, Rate(n.GaveUp))
	var words []string
	if Rate(n.PerSecond) != "" {
		words = append(words, often(n.PerSecond, "event"))
	}
	if n.Waited > 0 {
		words = append(words, "95 % wait at most "+Duration(n.Waited))
	}
	if n.Retries > 0 {
		words = append(words, "sent again "+often(n.Retries, "time"))
	}
	if n.GaveUp > 0 {
		words = append(words, often(n.GaveUp, "event")+" not accepted")
	}
	e.Says = "To " + to + ": " + strings.Join(words, ", ")
	return e
}

// responses is the edge to the client.
func responses(l source.Load) *edge {
	if Rate(l.PerSecond) == "" {
		return &edge{}
	}
	return &edge{
		Above: add(nil, "", "", Rate(max(l.PerSecond-l.Errors, 0))),
		Below: add(add(nil, "", "p95 ", Duration(l.P95)), "bad", failures, Rate(l.Errors)),
		Says:  "To the client: " + loadWords(l, "response"),
	}
}

// join makes sentences of those texts that are not empty.
func join(texts ...string) string {
	var out []string
	for _, t := range texts {
		if t = strings.TrimRight(strings.TrimSpace(t), "."); t != "" {
			out = append(out, t)
		}
	}
	return strings.Join(out, ". ") + "."
}
