package handbook

import (
	"context"
	"io/fs"
	"net"
	"net/url"
	"strings"

	"krt.dev/kn-krt/pkg/dashboard/contract"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/entrypoint/describe"
	"krt.dev/kn-krt/pkg/krt/example"
	"krt.dev/kn-krt/pkg/schema"
)

// Calls are the ways to call a workflow.
type Calls struct {
	Workflow string
	Calls    []describe.Call
}

// contract adds the contract to a page, and how to call it with the examples in files.
func (r *Reader) contract(ctx context.Context, p *Page, from source.Authors, v *source.Version, files fs.FS) {
	protos, err := r.Protos(ctx, from, v.Ref)
	if err != nil {
		p.ContractProblem = err.Error()
		return
	}
	workflows := map[string]string{}
	for _, w := range v.Workflows {
		workflows[strings.Replace(w.Method, "/", ".", 1)] = w.Name
	}
	p.Contract = contract.New(protos, workflows)
	for _, w := range v.Workflows {
		if calls := CallsOf(protos, v, w, files); calls != nil {
			p.Calls = append(p.Calls, Calls{w.Name, calls})
		}
	}
}

// CallsOf are the ways to call a workflow, with the example that files has or one made of the fields of
// its message; nil if its rpc is not known.
func CallsOf(protos *schema.Schema, v *source.Version, w source.Workflow, files fs.FS) []describe.Call {
	method, err := protos.Method(strings.Replace(w.Method, "/", ".", 1))
	if err != nil {
		return nil
	}
	about := describe.Version{Name: v.Name, Namespace: v.Namespace}
	flow := describe.Workflow{Name: w.Name, RPC: w.Method, Streams: method.IsStreamingServer()}
	return about.Calls(flow, place(v), example.Of(files, w.Name, method.Input()))
}

// place is where the version is called. A run on this machine has no namespace of a cluster.
func place(v *source.Version) describe.Place {
	var at describe.Place
	if u, err := url.Parse(v.Web); err == nil {
		at.Web = u.Host
	}
	if host, _, err := net.SplitHostPort(v.Address); err == nil && loopback(host) {
		at.GRPC = v.Address
	}
	if at.Web == "" {
		at.Web = v.Name + "." + v.Namespace
	}
	return at
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
