package usercode

import (
	"cmp"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// Generation is what the handler of a node exchanges.
type Generation struct {
	// Dicts is true for handlers of the original's runners up to 1.22 (Go: 1.8), which take
	// and return dicts (JSON); later ones, and ours, exchange messages.
	Dicts bool
	// Why is what shows it, for people.
	Why string
}

// String describes the generation and what shows it.
func (g Generation) String() string {
	if g.Dicts {
		return "exchanges dicts, as runners up to 1.22 (Go: 1.8) did: " + g.Why
	}
	return "exchanges messages: " + g.Why
}

const (
	runnerName = "kre-py"
	// firstMessages is the minor version of runner 1 from which on handlers exchange messages.
	firstMessages = 23
)

// What shows the generation of code without strings and comments.
var (
	// messagePattern is what is done to the google.protobuf.Any that handlers of messages get, and to nothing else.
	messagePattern = regexp.MustCompile(`\.[ \t]*(?:(Unpack|Is|Pack)[ \t]*\(|(type_url)\b|` +
		`((?:Parse|Merge)?FromString)[ \t]*\([ \t]*\w+[ \t]*\.[ \t]*value\b)`)
	oldContext = regexp.MustCompile(`\bctx[ \t]*\.[ \t]*(set_value|get_value|get_path|save_metric|save_data|get_data|metrics)\b`)
	pb2Pattern = regexp.MustCompile(`\b(\w+_pb2|google\.protobuf)\b`)
	runnerTag  = regexp.MustCompile(`^v?(\d{1,4})\.(\d{1,4})(?:[.-]|$)`)
)

// PythonGeneration determines which generation a Python node is, from the code at src in bundle and,
// where that leaves it open, from its image's name. Nothing is run. Proof of messages comes
// first: code that treats something as the Any which only later runners give. Then what is not a
// message: a handler that treats what it gets or returns as a dict, or calls what only old
// runners had. Then the tag of an original image decides; then whether any module of the node
// imports protobuf code, without which there is no message to return; then weaker signs.
func PythonGeneration(bundle fs.FS, src, image string) Generation {
	modules := nodeModules(bundle, src)
	var found signs
	for _, m := range modules {
		s := m.signs()
		found = signs{cmp.Or(found.messages, s.messages), cmp.Or(found.dicts, s.dicts), cmp.Or(found.maybeDicts, s.maybeDicts)}
	}
	switch {
	case found.messages != "":
		return Generation{false, found.messages}
	case found.dicts != "":
		return Generation{true, found.dicts}
	}
	if dicts, known := byTag(image); known {
		return Generation{dicts, "its image is " + image}
	}
	for _, m := range modules {
		if at := pb2Pattern.FindSubmatchIndex(m.code); at != nil {
			return Generation{false, m.line(at[0]) + " uses " + string(m.code[at[2]:at[3]])}
		}
	}
	switch {
	case found.maybeDicts != "":
		return Generation{true, found.maybeDicts}
	case len(modules) > 0 && modules[0].passesOn():
		return Generation{true, src + " returns what it is given, and nothing it imports has to do with protobuf"}
	}
	return Generation{false, "nothing in " + src + " shows otherwise"}
}

// byTag determines it from the version of an image of the original's runner.
func byTag(image string) (dicts, known bool) {
	name, tag, _ := strings.Cut(path.Base(image), ":")
	version := runnerTag.FindStringSubmatch(tag)
	if version == nil || !strings.Contains(name, runnerName) {
		return false, false
	}
	major, _ := strconv.Atoi(version[1])
	minor, _ := strconv.Atoi(version[2])
	return major == 0 || major == 1 && minor < firstMessages, true
}
