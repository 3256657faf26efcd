package usercode

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

const (
	maxModules  = 64      // of a node that are read
	maxNodeCode = 4 << 20 // bytes of them
	maxImports  = 16_384  // files that imports may refer to, which are searched for
)

var importPattern = regexp.MustCompile(`(?m)^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]+([^\n]+)|import[ \t]+([^\n]+))`)

// pyModule is one Python file of a node.
type pyModule struct {
	name string
	code []byte // without strings and comments
}

// line names the place at an offset of the code.
func (m *pyModule) line(at int) string {
	return fmt.Sprintf("%s:%d", m.name, 1+bytes.Count(m.code[:at], []byte("\n")))
}

// nodeModules are the file src and those below its folder that it imports, one from the other.
func nodeModules(bundle fs.FS, src string) []*pyModule {
	root := path.Dir(path.Clean(src))
	var modules []*pyModule
	queue, size := []string{path.Clean(src)}, 0
	queued := map[string]bool{queue[0]: true}
	for ; len(queue) > 0 && len(modules) < maxModules && size < maxNodeCode; queue = queue[1:] {
		text, err := Read(bundle, queue[0])
		if err != nil {
			continue // what cannot be read shows nothing
		}
		m := &pyModule{queue[0], bare(text)}
		modules = append(modules, m)
		size += len(text)
		m.imports(root, func(file string) bool {
			if !queued[file] {
				queued[file] = true
				queue = append(queue, file)
			}
			return len(queued) < maxImports
		})
	}
	return modules
}

// imports calls add for the files that the module's imports may refer to, in folder root or, if they are
// relative, next to the module, until add returns false. Generated code shows nothing by itself.
func (m *pyModule) imports(root string, add func(file string) bool) {
	for rest := m.code; ; {
		at := importPattern.FindSubmatchIndex(rest)
		if at == nil {
			return
		}
		group := func(i int) string { return string(rest[max(at[2*i], 0):max(at[2*i+1], 0)]) }
		from, names, plain := group(1), group(2), group(3)
		rest = rest[at[1]:]
		folder, dotted := root, strings.TrimLeft(from, ".")
		if up := len(from) - len(dotted); up > 0 {
			folder = path.Join(path.Dir(m.name), strings.Repeat("../", up-1))
		}
		for name := range strings.SplitSeq(dotted+","+plain, ",") {
			if !addModule(folder, imported(name), add) {
				return
			}
		}
		for name := range strings.SplitSeq(strings.Trim(names, " \t()\\"), ",") {
			if from != "" && !addModule(folder, strings.Trim(dotted+"."+imported(name), "."), add) {
				return
			}
		}
	}
}

// imported is the name in "name as other".
func imported(name string) string {
	name, _, _ = strings.Cut(name, " as ")
	return strings.TrimSpace(name)
}

// addModule adds the files that a module in folder may be, and returns whether to continue.
func addModule(folder, dotted string, add func(file string) bool) bool {
	if dotted == "" || strings.HasSuffix(dotted, "_pb2") {
		return true
	}
	file := path.Join(folder, strings.ReplaceAll(dotted, ".", "/"))
	return add(file+".py") && add(file+"/__init__.py")
}
