package usercode

import (
	"fmt"
	"regexp"
)

// What distinguishes the generations of Go nodes, in a file that imports the original's runner.
var (
	// The original's module got the suffix with runner 4.
	kreGoPattern = regexp.MustCompile(`"github\.com/konstellation-io/kre-runners/kre-go(?:"|(/v[2-9])["/])`)
	// All paths that the module of a runner ever had.
	kreModulePattern = regexp.MustCompile(`^(github\.com/konstellation-io|gitlab\.com/konstellation)/.*(runners/|kre-go|go-sdk)`)
	originalPattern  = regexp.MustCompile(`"(((github\.com/konstellation-io|gitlab\.com/konstellation)/[\w/.-]*kre-go)|` +
		`krt\.dev/kn-krt/pkg/runner/kre)"`)
	goOutputPattern    = regexp.MustCompile(`(?m)^[^/\n]*\bctx\.(SendOutput|SendAny|SendEarlyReply|SendEarlyExit)\(`)
	goErrorOnlyPattern = regexp.MustCompile(`(?m)^func[ \t]+(\w*[hH]andler)\([^()\n]*\*kre\.HandlerContext,[^()\n]*\.Any\)[ \t]+error[ \t]*\{`)
	// In the same file, these two distinguish the handler from its helper functions.
	goStartPattern   = regexp.MustCompile(`(?m)^[^/\n]*\bkre\.Start\(`)
	goMessagePattern = regexp.MustCompile(`Message, error\)`)
)

// LaterGo returns what shows that a Go file is written for runner 3 or later of the original, which this
// platform's runner does not compile: "calls ctx.SendOutput"; "" if nothing does.
func LaterGo(text []byte) string {
	kreGo := kreGoPattern.FindSubmatch(text)
	if kreGo == nil {
		return ""
	}
	output, handler := goOutputPattern.FindSubmatch(text), goErrorOnlyPattern.FindSubmatch(text)
	switch {
	case output != nil:
		return fmt.Sprintf("calls ctx.%s", output[1])
	case handler != nil && goStartPattern.Match(text) && !goMessagePattern.Match(text):
		return fmt.Sprintf("has a %s that returns no message", handler[1])
	case len(kreGo[1]) > 0:
		return fmt.Sprintf("imports kre-go%s", kreGo[1])
	}
	return ""
}
