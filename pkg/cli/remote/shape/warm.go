package shape

import (
	"fmt"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/legible"
)

// maxProblem bounds what is printed of why a node is not up, in bytes.
const maxProblem = 300

// NodeName is the name of a node, with the GPUs that it needs.
func NodeName(n v1alpha1.Node) string {
	if !n.GPU {
		return n.Name
	}
	which := "GPU"
	if r := n.GPURequest; r != nil && r.Resource != "" {
		which = r.Resource
	}
	if r := n.GPURequest; r != nil && r.Count != nil && *r.Count > 1 {
		which = fmt.Sprintf("%d × %s", *r.Count, which)
	}
	return n.Name + " (" + which + ")"
}

// Warm is until when the version's nodes are kept up, and which are not up yet; empty if they are not kept up.
func Warm(v *v1alpha1.Version) string {
	w := v.Status.Warm
	if w == nil {
		return ""
	}
	problem := legible.Line(w.Message, maxProblem)
	if w.Until.IsZero() {
		return problem
	}
	text := "until " + w.Until.Local().Format(time.DateTime)
	switch {
	case len(w.Waiting) == 0:
		return text
	case problem != "":
		problem = " (" + problem + ")"
	}
	return text + ", not up yet: " + strings.Join(w.Waiting, ", ") + problem
}
