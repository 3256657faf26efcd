package krt

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Generation says what the handler of a node exchanges.
type Generation struct {
	// Dicts is true for handlers of the original's runners up to 1.22 (Go: 1.8), which take
	// and return dicts (JSON); later ones, and ours, exchange messages.
	Dicts bool
	// Why is what shows it, for people.
	Why string
}

// String describes the generation and says what shows it.
func (g Generation) String() string {
	if g.Dicts {
		return "exchanges dicts, as runners up to 1.22 (Go: 1.8) did: " + g.Why
	}
	return "exchanges messages: " + g.Why
}

// Generation returns that of the bundle's node n, and false for one whose code shows none.
func (b *Bundle) Generation(n Node) (g Generation, ok bool) {
	switch b.Kind(n) {
	case KindPython:
		return PythonGeneration(b.FS(), n.Src, n.Image), true
	case KindGoSource:
		g = GoGeneration(b.FS(), goFolder(n))
		return g, g.Dicts
	}
	return Generation{}, false
}

// ManifestIn returns what can be read of the manifest in bundle; it is empty if there is none.
func ManifestIn(bundle fs.FS) *Manifest {
	for _, name := range manifestNames() {
		file, err := bundle.Open(name)
		if err != nil {
			continue
		}
		text, err := io.ReadAll(io.LimitReader(file, maxManifest+1))
		_ = file.Close()
		if m, _ := Parse(name, text); err == nil && m != nil {
			return m
		}
		break
	}
	return &Manifest{}
}

const (
	maxModules = 64 // of a node that are read
	runnerName = "kre-py"
	// firstMessages is the minor version of runner 1 from which on handlers exchange messages.
	firstMessages = 23
)

// What shows the generation of code without strings and comments.
var (
	handlerDef    = regexp.MustCompile(`(?m)^(?:async[ \t]+)?def[ \t]+handler[ \t]*\(([^)]*)\)[ \t]*(->[^:\n]*)?:`)
	unpackPattern = regexp.MustCompile(`\.[ \t]*Unpack[ \t]*\(`)
	oldContext    = regexp.MustCompile(`\bctx[ \t]*\.[ \t]*(set_value|get_value|get_path|save_metric|save_data|get_data|metrics)\b`)
	pb2Pattern    = regexp.MustCompile(`\b(\w+_pb2|google\.protobuf)\b`)
	dictReturn    = regexp.MustCompile(`\breturn[ \t]*(\{|dict[ \t]*\()`)
	dictName      = regexp.MustCompile(`(?m)^[ \t]+(\w+)[ \t]*=[ \t]*(?:\{|dict[ \t]*\()`)
	importPattern = regexp.MustCompile(`(?m)^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]+([^\n]+)|import[ \t]+([^\n]+))`)
	runnerTag     = regexp.MustCompile(`^v?(\d{1,4})\.(\d{1,4})(?:[.-]|$)`)
)

// PythonGeneration tells by the code at src in bundle, and by its image's name where the code
// leaves it open, which generation a Python node is. Nothing is run. A handler that unpacks is
// of messages, one that treats what it gets or returns as a dict, or calls what only old runners
// had, is of dicts; then the tag of an original image decides; then whether any module of
// the node imports protobuf code, without which there is no message to return.
func PythonGeneration(bundle fs.FS, src, image string) Generation {
	modules := nodeModules(bundle, src)
	for _, m := range modules {
		if at := unpackPattern.FindIndex(m.code); at != nil {
			return Generation{false, m.line(at[0]) + " unpacks a message"}
		}
	}
	for _, m := range modules {
		if why := m.dicts(); why != "" {
			return Generation{true, why}
		}
	}
	if dicts, known := byTag(image); known {
		return Generation{dicts, "its image is " + image}
	}
	for _, m := range modules {
		if at := pb2Pattern.FindSubmatchIndex(m.code); at != nil {
			return Generation{false, m.line(at[0]) + " uses " + string(m.code[at[2]:at[3]])}
		}
	}
	if len(modules) > 0 && modules[0].passesOn() {
		return Generation{true, src + " passes on what it gets, and nothing it imports has to do with protobuf"}
	}
	return Generation{false, "nothing in " + src + " shows another"}
}

// byTag tells by the version of an image of the original's runner.
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

// pyModule is one Python file of a node.
type pyModule struct {
	name string
	code []byte // without strings and comments
}

// line names the place at an offset of the code.
func (m *pyModule) line(at int) string {
	return fmt.Sprintf("%s:%d", m.name, 1+bytes.Count(m.code[:at], []byte("\n")))
}

// dicts says what shows that the module's handler exchanges dicts, "" if nothing does.
func (m *pyModule) dicts() string {
	if at := oldContext.FindSubmatchIndex(m.code); at != nil {
		return m.line(at[0]) + " uses ctx." + string(m.code[at[2]:at[3]])
	}
	body, from, data, returns := m.handler()
	if body == nil {
		return ""
	}
	if strings.Contains(strings.ToLower(returns), "dict") {
		return m.line(from) + " declares that it returns a dict"
	}
	if at := dictReturn.FindIndex(body); at != nil {
		return m.line(from+at[0]) + " returns a dict"
	}
	for _, named := range dictName.FindAllSubmatch(body, -1) {
		returned := regexp.MustCompile(`\breturn[ \t]+` + regexp.QuoteMeta(string(named[1])) + `[ \t]*(\n|$)`)
		if at := returned.FindIndex(body); at != nil && string(named[1]) != data {
			return m.line(from+at[0]) + " returns a dict"
		}
	}
	if data == "" {
		return ""
	}
	name := regexp.QuoteMeta(data)
	if regexp.MustCompile(`(?m)^[ \t]+` + name + `[ \t]*(:[^=\n]*)?=[^=]`).Match(body) {
		return "" // it is given another value: its uses say nothing
	}
	used := regexp.MustCompile(`\b` + name + `[ \t]*(\[|\.[ \t]*(get|items|keys|values|pop|copy|update|setdefault)[ \t]*\()|` +
		`\*\*[ \t]*` + name + `\b|\bin[ \t]+` + name + `\b`)
	if at := used.FindIndex(body); at != nil {
		return m.line(from+at[0]) + " uses " + data + " as a dict"
	}
	return ""
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
	parameters := strings.Split(string(m.code[at[2]:at[3]]), ",")
	if len(parameters) > 1 {
		data = strings.TrimSpace(strings.FieldsFunc(parameters[1]+" ", func(c rune) bool { return c == ':' || c == '=' })[0])
		data = strings.TrimLeft(data, "*")
	}
	if at[4] >= 0 {
		returns = string(m.code[at[4]:at[5]])
	}
	from = at[1]
	body = m.code[from:]
	if end := regexp.MustCompile(`\n[^\s)\]}]`).FindIndex(body); end != nil {
		body = body[:end[0]]
	}
	return body, from, data, returns
}

// nodeModules are the file src and those below its folder that it imports, one from the other.
func nodeModules(bundle fs.FS, src string) []*pyModule {
	root := path.Dir(path.Clean(src))
	var modules []*pyModule
	for queue, seen := []string{path.Clean(src)}, []string{}; len(queue) > 0 && len(modules) < maxModules; queue = queue[1:] {
		name := queue[0]
		if slices.Contains(seen, name) {
			continue
		}
		seen = append(seen, name)
		text, err := readFileAtMost(bundle, name)
		if err != nil {
			continue // what cannot be read shows nothing
		}
		m := &pyModule{name, bare(text)}
		modules = append(modules, m)
		queue = append(queue, m.imports(root)...)
	}
	return modules
}

// readFileAtMost reads what is looked at of a file of code.
func readFileAtMost(bundle fs.FS, name string) ([]byte, error) {
	file, err := bundle.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // only read from
	return io.ReadAll(io.LimitReader(file, maxCode))
}

// imports lists the files that the module's imports may stand for, in folder root or, of
// relative ones, beside the module. Generated code shows nothing by itself.
func (m *pyModule) imports(root string) (files []string) {
	add := func(folder, dotted string) {
		if dotted = strings.TrimSpace(dotted); dotted == "" || strings.HasSuffix(dotted, "_pb2") {
			return
		}
		file := path.Join(folder, strings.ReplaceAll(dotted, ".", "/"))
		files = append(files, file+".py", file+"/__init__.py")
	}
	for _, found := range importPattern.FindAllSubmatch(m.code, -1) {
		from, names, plain := string(found[1]), string(found[2]), string(found[3])
		for _, name := range strings.Split(plain, ",") {
			add(root, strings.Split(name, " as ")[0])
		}
		if from == "" {
			continue
		}
		folder, dotted := root, strings.TrimLeft(from, ".")
		if up := len(from) - len(dotted); up > 0 {
			folder = path.Join(path.Dir(m.name), strings.Repeat("../", up-1))
		}
		add(folder, dotted)
		for _, name := range strings.Split(strings.Trim(names, " \t()\\"), ",") {
			add(folder, strings.Trim(dotted+"."+strings.TrimSpace(strings.Split(name, " as ")[0]), "."))
		}
	}
	return files
}
