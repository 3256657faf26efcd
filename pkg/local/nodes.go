package local

import (
	"context"
	"path/filepath"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/web"
	"krt.dev/kn-krt/pkg/gobuild"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/krt/example"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/schema"
)

// Languages of nodes, as in events.
const (
	languageGo     = "go"
	languagePython = "python"
)

// split returns those of nodes that start as they are, and those to be built.
func split(b *krt.Bundle, nodes []krt.Node) (asIs, toBuild []krt.Node) {
	for _, n := range nodes {
		if _, ok := gobuild.TargetOf(b, n); ok {
			toBuild = append(toBuild, n)
		} else {
			asIs = append(asIs, n)
		}
	}
	return asIs, toBuild
}

// specs returns what each of nodes is to run. binaries holds what was built, by
// node.
func (r *run) specs(b *krt.Bundle, p place, nodes []krt.Node, binaries map[string]string) []spec {
	specs := make([]spec, 0, len(nodes))
	for _, n := range nodes {
		s := spec{node: n.Name, language: languageGo, dir: b.Dir, env: p.variables(b, n)}
		switch {
		case b.Kind(n) == krt.KindPython:
			s.language, s.note = languagePython, p.unused
		case b.Kind(n) == krt.KindGoBinary:
			s.args = []string{filepath.Join(b.Dir, filepath.FromSlash(n.Src))}
		default:
			s.args = []string{binaries[n.Name]}
		}
		specs = append(specs, s)
	}
	return specs
}

// buildNodes builds those of nodes that need it. Of what does not compile the
// error tells; the rest is in the result.
func (r *run) buildNodes(ctx context.Context, b *krt.Bundle, nodes []krt.Node) (map[string]string, error) {
	targets := map[string]gobuild.Target{}
	for _, n := range nodes {
		if t, ok := gobuild.TargetOf(b, n); ok {
			targets[n.Name] = t
		}
	}
	return r.builder.build(ctx, targets)
}

// assemble returns what the entrypoint is to serve: b's workflows over the
// instances of its nodes.
func (r *run) assemble(b *krt.Bundle, nodes map[string]*instance) (entrypoint.Version, error) {
	v := entrypoint.Version{
		Namespace:   Namespace,
		Name:        b.Manifest.Version,
		Description: b.Manifest.Description,
		Schema:      b.Schema,

		BackgroundTimeout: b.Manifest.Entrypoint.BackgroundTimeout,
		Inspect:           r.inspect(b),
		Results:           letter.DefaultKept,
	}
	for _, w := range b.Manifest.Workflows {
		method, err := b.Schema.Method(w.Entrypoint)
		if err != nil {
			return v, err
		}
		workflow := entrypoint.Workflow{Name: w.Name, Method: method}
		for _, node := range w.Sequential {
			workflow.Steps = append(workflow.Steps, entrypoint.Step{Node: node, URL: nodes[node].door.url})
		}
		v.Workflows = append(v.Workflows, workflow)
	}
	return v, nil
}

// describe returns how to call on l what b offers.
func (r *run) describe(b *krt.Bundle, l entrypoint.Listeners) *Serving {
	s := &Serving{
		Version: b.Manifest.Version,
		GRPC:    l.GRPC.Addr().String(),
		Web:     l.Web.Addr().String(),
		Reply:   l.Reply.Addr().String(),
		Store:   r.state.socket,
	}
	if r.o.Dashboard != nil {
		s.Dashboard = "http://" + Reachable(s.Web) + web.ReservedPath
	}
	if l.Inspection != nil {
		s.Inspection = l.Inspection.Addr().String()
	}
	for _, w := range b.Manifest.Workflows {
		method, err := b.Schema.Method(w.Entrypoint)
		if err != nil {
			continue // assemble has told of it
		}
		s.Workflows = append(s.Workflows, ServingWorkflow{
			Name:    w.Name,
			Method:  schema.MethodName(method),
			Streams: method.IsStreamingServer(),
			Example: example.Of(b.FS(), w.Name, method.Input()),
		})
	}
	return s
}

// byName returns instances by their node's name.
func byName(instances []*instance) map[string]*instance {
	nodes := make(map[string]*instance, len(instances))
	for _, i := range instances {
		nodes[i.spec.node] = i
	}
	return nodes
}
