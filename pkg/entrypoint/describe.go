package entrypoint

import (
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/structpb"

	"krt.dev/kn-krt/pkg/entrypoint/describe"
	"krt.dev/kn-krt/pkg/entrypoint/service"
	"krt.dev/kn-krt/pkg/schema"
)

// describeVersion is what a version offers.
func describeVersion(v *Version) describe.Version {
	d := describe.Version{Name: v.Name, Namespace: v.Namespace, Description: v.Description}
	for _, w := range v.Workflows {
		one := describe.Workflow{
			Name: w.Name, RPC: schema.MethodName(w.Method),
			Input: string(w.Method.Input().FullName()), Output: string(w.Method.Output().FullName()),
			Streams: w.Method.IsStreamingServer(),
		}
		for _, s := range w.Steps {
			one.Nodes = append(one.Nodes, s.Node)
		}
		d.Workflows = append(d.Workflows, one)
	}
	return d
}

// contract is the version in force, as package service needs it.
type contract struct{ entry *Entrypoint }

// Description implements service.Contract.
func (c contract) Description() *structpb.Struct { return c.entry.table.Load().describe }

// Services implements service.Contract.
func (c contract) Services() []string { return c.entry.table.Load().version.Schema.Services() }

// Registry implements service.Contract.
func (c contract) Registry() *protoregistry.Files {
	return c.entry.table.Load().version.Schema.Registry()
}

// reportHealth sets which services there are in the health service. Those that both
// tables have are served throughout.
func (e *Entrypoint) reportHealth(old, current *table) {
	var before []string
	if old != nil {
		before = old.version.Schema.Services()
	}
	service.Report(e.health, before, current.version.Schema.Services())
}
