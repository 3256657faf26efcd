package usercode

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

var (
	handlerDef    = regexp.MustCompile(`(?m)^(?:async[ \t]+)?def[ \t]+handler[ \t]*\(([^)]*)\)[ \t]*(->[^:\n]*)?:`)
	parameterName = regexp.MustCompile(`^\w+`)
	bodyEnd       = regexp.MustCompile(`\n[^\s)\]}]`)
	nestedDef     = regexp.MustCompile(`^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]`)
	dictReturn    = regexp.MustCompile(`(?m)(?:^|[:;])[ \t]*(?:return|yield)[ \t]*(?:\{|dict[ \t]*\()`)
	nameReturn    = regexp.MustCompile(`(?m)(?:^|[:;])[ \t]*(?:return|yield)[ \t]+(\w+)[ \t]*(?:;|$)`)
	assigned      = regexp.MustCompile(`(?m)(?:^|[:;])[ \t]*(\w+)[ \t]*(?::[^=\n]*)?=[ \t]*(\{|dict[ \t]*\(|[^=\n])`)
	// bound are other ways to give a name a value: the targets of for, and what follows as, lambda and def.
	bound = regexp.MustCompile(`(?m)\bfor[ \t]+([^\n:]*?)[ \t]in\b|\bas[ \t]+(\w+)|\b(?:lambda\b|def[ \t]+\w+)([^\n:]*)|(\w+)[ \t]*:=|` +
		`^[ \t]*(\w+(?:[ \t]*,[ \t]*\w+)+)[ \t]*=`)
	words = regexp.MustCompile(`\w+`)
)

// signs are what in a module shows its generation, "" each for nothing.
type signs struct {
	// messages and dicts are proof, maybeDicts is none.
	messages, dicts, maybeDicts string
}

// signs reads the module and its handler, if it has one.
func (m *pyModule) signs() (s signs) {
	if at := messagePattern.FindSubmatchIndex(m.code); at != nil {
		what := string(m.code[max(at[2], at[4], at[6]):max(at[3], at[5], at[7])])
		s.messages = m.line(at[0]) + " uses " + what + " of a message"
		if what == "Unpack" {
			s.messages = m.line(at[0]) + " unpacks a message"
		}
		return s
	}
	body, from, data, returns := m.handler()
	m.uses(body, from, data, &s)
	if at := oldContext.FindSubmatchIndex(m.code); at != nil {
		s.dicts = m.line(at[0]) + " uses ctx." + string(m.code[at[2]:at[3]])
	} else if strings.Contains(strings.ToLower(returns), "dict") {
		s.dicts = m.line(from) + " declares that it returns a dict"
	} else if at := returnedDict(withoutNested(body), data); at >= 0 {
		s.dicts = m.line(from+at) + " returns a dict"
	}
	return s
}

// returnedDict is where a function's own code returns or yields a dict that is not data, -1 if nowhere.
func returnedDict(own []byte, data string) int {
	if at := dictReturn.FindIndex(own); at != nil {
		return at[1] - 1
	}
	values := valuesOf(own)
	for _, at := range nameReturn.FindAllSubmatchIndex(own, -1) {
		if name := string(own[at[2]:at[3]]); values[name] == onlyDicts && name != data {
			return at[2]
		}
	}
	return -1
}

// dictMethods are the attributes of a dict. A message has none of these names, but what its fields are called.
func dictMethods() []string {
	return []string{"get", "items", "keys", "values", "pop", "popitem", "copy", "update", "setdefault", "clear"}
}

// uses notes what the handler's body does with data, which it gets.
func (m *pyModule) uses(body []byte, from int, data string, s *signs) {
	if data == "" || valuesOf(body)[data] != 0 {
		return // it is given another value: its uses show nothing
	}
	name := regexp.QuoteMeta(data)
	used := regexp.MustCompile(`(?:^|[^\w.])` + name + `[ \t]*(?:\[|\.[ \t]*([A-Za-z]\w*))`)
	for _, at := range used.FindAllSubmatchIndex(body, -1) {
		switch {
		case at[2] >= 0 && !slices.Contains(dictMethods(), string(body[at[2]:at[3]])):
			s.messages = m.line(from+at[1]) + " uses " + data + "." + string(body[at[2]:at[3]]) + ", which a dict does not have"
			return
		case s.dicts == "":
			s.dicts = m.line(from+at[1]-1) + " uses " + data + " as a dict"
		}
	}
	maybe := regexp.MustCompile(`\*\*[ \t]*` + name + `[ \t]*(?:[^\w.\[( \t]|$)|\bin[ \t]+` + name + `[ \t]*(?:[^\w.\[( \t]|$)`)
	if at := maybe.FindIndex(body); at != nil {
		s.maybeDicts = m.line(from+at[0]) + " uses " + data + " as a dict"
	}
}

// What values a name is given.
const (
	onlyDicts  = 1
	otherValue = 2
)

// valuesOf returns, for each name that code assigns, what its value is.
func valuesOf(code []byte) map[string]int {
	values := map[string]int{}
	for _, found := range assigned.FindAllSubmatch(code, -1) {
		value := otherValue
		if len(found[2]) > 1 || found[2][0] == '{' {
			value = onlyDicts
		}
		values[string(found[1])] = max(values[string(found[1])], value)
	}
	for _, found := range bound.FindAllSubmatch(code, -1) {
		for _, name := range words.FindAll(bytes.Join(found[1:], []byte(" ")), -1) {
			values[string(name)] = otherValue
		}
	}
	return values
}

// withoutNested returns a function's body with blanks in the place of the functions and classes in it.
func withoutNested(body []byte) []byte {
	own := bytes.Clone(body)
	inside := -1 // the indentation of the function that a line is in
	for rest := own; len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		rest = after
		text := bytes.TrimLeft(line, " \t")
		indent := len(line) - len(text)
		switch {
		case len(bytes.TrimSpace(text)) == 0:
		case inside >= 0 && indent > inside:
			copy(text, bytes.Repeat([]byte(" "), len(text)))
		case nestedDef.Match(line):
			inside = indent
			copy(text, bytes.Repeat([]byte(" "), len(text)))
		default:
			inside = -1
		}
	}
	return own
}

// passesOn reports whether the module's handler uses what it gets.
func (m *pyModule) passesOn() bool {
	body, _, data, _ := m.handler()
	return body != nil && data != "" && !bytes.Contains(m.code, []byte("sys.path")) &&
		regexp.MustCompile(`\b`+regexp.QuoteMeta(data)+`\b`).Match(body)
}

// handler returns the handler's body and where it begins, the name of its second parameter and
// the annotation of what it returns; nil if it is not defined here.
func (m *pyModule) handler() (body []byte, from int, data, returns string) {
	at := handlerDef.FindSubmatchIndex(m.code)
	if at == nil {
		return nil, 0, "", ""
	}
	parameters := strings.SplitN(string(m.code[at[2]:at[3]]), ",", 3)
	if len(parameters) > 1 {
		data = parameterName.FindString(strings.TrimSpace(parameters[1])) // none for *args
	}
	if at[4] >= 0 {
		returns = string(m.code[at[4]:at[5]])
	}
	from = at[1]
	body = m.code[from:]
	if end := bodyEnd.FindIndex(body); end != nil {
		body = body[:end[0]]
	}
	return body, from, data, returns
}
