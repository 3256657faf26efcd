package describe

import (
	"fmt"

	"krt.dev/kn-krt/pkg/legible"
)

// Call is a way to call a workflow.
type Call struct {
	// Title names it, Command is one to copy into a shell.
	Title, Command string
}

// Place is where a version is called.
type Place struct {
	// Web is host:port of the web port.
	Web string
	// GRPC is the address of the gRPC port of a version that runs on this machine. Empty: the
	// version runs on a cluster.
	GRPC string
}

// Calls are the ways to call w, a workflow of v, each with the input example, in JSON.
func (v Version) Calls(w Workflow, at Place, example string) []Call {
	input := legible.Argument(example)
	grpc := Call{
		"gRPC, at " + at.GRPC + ", with reflection",
		fmt.Sprintf("kn-krt invoke %s -d %s --address %s", w.Name, input, at.GRPC),
	}
	if at.GRPC == "" {
		grpc = Call{
			fmt.Sprintf("gRPC, at %s.%s:9000 in the cluster, with reflection; from elsewhere", v.Name, v.Namespace),
			fmt.Sprintf("kn-krt invoke %s %s -n %s -d %s", v.Name, w.Name, v.Namespace, input),
		}
	}
	if w.Streams {
		line := fmt.Sprintf("http://%s/%s -H 'Content-Type: application/json'", at.Web, w.RPC)
		return []Call{
			{"Server-sent events", fmt.Sprintf("curl -N %s \\\n  -H 'Accept: text/event-stream' -d %s", line, input)},
			{"Lines of JSON", fmt.Sprintf("curl -N %s \\\n  -d %s", line, input)},
			grpc,
		}
	}
	return []Call{
		{"JSON", fmt.Sprintf("curl http://%s/%s -H 'Content-Type: application/json' \\\n  -d %s", at.Web, w.RPC, input)},
		{"CloudEvent", fmt.Sprintf("curl http://%s/workflows/%s -H 'Content-Type: application/json' \\\n"+
			"  -H 'ce-specversion: 1.0' -H 'ce-id: 1' -H 'ce-source: /me' -H 'ce-type: %s' \\\n  -d %s", at.Web, w.Name, w.Name, input)},
		grpc,
	}
}
