package krt

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"path"
	"regexp"
	"runtime/debug"
	"slices"

	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// What tells the generations of Go nodes apart, in a file that imports the original's runner.
var (
	// The original's module took the suffix with runner 4.
	kreGoPattern = regexp.MustCompile(`"github\.com/konstellation-io/kre-runners/kre-go(?:"|(/v[2-9])["/])`)
	// All paths that the module of a runner ever had.
	kreModulePattern   = regexp.MustCompile(`^(github\.com/konstellation-io|gitlab\.com/konstellation)/.*(runners/|kre-go|go-sdk)`)
	originalPattern    = regexp.MustCompile(`"(((github\.com/konstellation-io|gitlab\.com/konstellation)/[\w/.-]*kre-go)|krt\.dev/kn-krt/pkg/runner/kre)"`)
	goOutputPattern    = regexp.MustCompile(`(?m)^[^/\n]*\bctx\.(SendOutput|SendAny|SendEarlyReply|SendEarlyExit)\(`)
	goErrorOnlyPattern = regexp.MustCompile(`(?m)^func[ \t]+(\w*[hH]andler)\([^()\n]*\*kre\.HandlerContext,[^()\n]*\.Any\)[ \t]+error[ \t]*\{`)
	// In the same file, these two tell the handler from a function that helps it.
	goStartPattern   = regexp.MustCompile(`(?m)^[^/\n]*\bkre\.Start\(`)
	goMessagePattern = regexp.MustCompile(`Message, error\)`)
)

// checkGoFolder reports a folder that holds no Go source, with what may be meant, and looks at
// the files of one that does.
func (r *reader) checkGoFolder(at string, root *os.Root, src string) {
	sources, python := false, ""
	for _, file := range neighbours(root, src+"/x") {
		if path.Dir(file) != src {
			continue
		}
		if path.Ext(file) == ".go" {
			if sources = true; r.checkGo(at, root, file) {
				return
			}
		}
		if path.Ext(file) == ".py" && (python == "" || path.Base(file) == "main.py") {
			python = file
		}
	}
	if sources {
		return
	}
	hint := ""
	if python != "" {
		hint = fmt.Sprintf("; did you mean %q?", python)
	}
	r.field(at, "%.80q is a folder without Go sources%s", src, hint)
}

// checkGo refuses a Go file of a node written for runner 3 or later, which would not compile.
// It says whether it did. A file that cannot be read is left to the compiler.
func (r *reader) checkGo(at string, root *os.Root, src string) (refused bool) {
	text, err := untrusted.ReadFile(root.FS(), src, maxCode)
	if err != nil {
		return false
	}
	kreGo := kreGoPattern.FindSubmatch(text)
	if kreGo == nil {
		return false
	}
	output, handler := goOutputPattern.FindSubmatch(text), goErrorOnlyPattern.FindSubmatch(text)
	var why string
	switch {
	case output != nil:
		why = fmt.Sprintf("calls ctx.%s", output[1])
	case handler != nil && goStartPattern.Match(text) && !goMessagePattern.Match(text):
		why = fmt.Sprintf("has a %s that returns no message", handler[1])
	case len(kreGo[1]) > 0:
		why = fmt.Sprintf("imports kre-go%s", kreGo[1])
	default:
		return false
	}
	r.field(at, "%.80q is written for runner 3 or later: it %s; kn-krt runs nodes of KRT V1: import "+
		"github.com/konstellation-io/kre-runners/kre-go and let the handler return (proto.Message, error)", src, why)
	return true
}

// binary returns what runs the program n.Src: itself, or its sources where it is linked with
// the original platform's runner, for it would wait for a NATS server that is not there.
func (r *reader) binary(at string, root *os.Root, n *Node) Kind {
	linked := originalRunner(root, n.Src)
	if linked == "" {
		return KindGoBinary
	}
	if kind, ok := r.substitute(at, root, n, "is linked with "+linked+", which needs the original platform"); ok {
		return kind
	}
	folders := sourceHint(root)
	if folders != "" {
		folders = " (" + folders + ")"
	}
	r.field(at, "%.80q is linked with %s, which needs the original platform; give its source folder as src%s, "+
		"and kn-krt builds it with its own runner", n.Src, linked, folders)
	return KindGoBinary
}

// originalRunner returns the path and version of the original's runner that a program is
// linked with; "" if it is not, or does not say so.
func originalRunner(root *os.Root, src string) string {
	info, err := buildInfo(root, src)
	if err != nil {
		return "" // no Go program, or one without build info: it may still be a runner
	}
	if slices.ContainsFunc(info.Deps, func(d *debug.Module) bool { return d.Path == runnerModule }) {
		return ""
	}
	for _, dependency := range info.Deps {
		if kreModulePattern.MatchString(dependency.Path) {
			return dependency.Path + " " + dependency.Version
		}
	}
	return ""
}

// buildInfo reads what a Go program says of itself. The standard library does not promise to
// survive every hostile file.
func buildInfo(root *os.Root, src string) (info *buildinfo.BuildInfo, err error) {
	file, err := root.Open(src)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // only read from
	defer func() {
		if p := recover(); p != nil {
			info, err = nil, errors.New("no readable program")
		}
	}()
	return buildinfo.Read(file)
}
