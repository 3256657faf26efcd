package dashboard

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing/fstest" // its MapFS is the standard library's file system in memory

	"google.golang.org/protobuf/reflect/protoreflect"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/entrypoint/describe"
	"krt.dev/kn-krt/pkg/schema"
)

// maxTypes is how many messages and enums of a contract are shown.
const maxTypes = 300

// contractView is what clients can call, and with what.
type contractView struct {
	Services []serviceView
	Types    []typeView
	// More is how many types are left out.
	More int
}

// serviceView is a service, methodView one of its rpcs.
type serviceView struct {
	Name, Comment string
	Methods       []methodView
}

type methodView struct {
	Name, Comment, Input, Output string
	// Workflow is the one that the rpc starts; empty for none.
	Workflow string
}

// typeView is a message or an enum.
type typeView struct {
	Name, Comment string
	Enum          bool
	Fields        []fieldView
}

// fieldView is a field of a message or a value of an enum.
type fieldView struct {
	Name, Comment string
	Number        int
	// Type is the field's, Link the name of its message or enum if that is shown.
	Type, Link string
}

// workflowCalls are the ways to call a workflow.
type workflowCalls struct {
	Workflow string
	Calls    []describe.Call
}

// contract adds the contract, and how to call it.
func (v *docsView) contract(r *request) {
	protos, err := r.protos()
	if err != nil {
		v.ContractProblem = err.Error()
		return
	}
	workflows := map[string]string{}
	for _, w := range r.version.Workflows {
		workflows[strings.Replace(w.Method, "/", ".", 1)] = w.Name
	}
	v.Contract = newContract(protos, workflows)
	for _, w := range r.version.Workflows {
		if calls := r.calls(protos, w); calls != nil {
			v.Calls = append(v.Calls, workflowCalls{w.Name, calls})
		}
	}
}

// calls are the ways to call a workflow; nil if its rpc is not known.
func (r *request) calls(protos *schema.Schema, w source.Workflow) []describe.Call {
	method, err := protos.Method(strings.Replace(w.Method, "/", ".", 1))
	if err != nil {
		return nil
	}
	about := describe.Version{Name: r.ref.Name, Namespace: r.ref.Namespace}
	return about.Calls(describe.Workflow{Name: w.Name, RPC: w.Method}, place(r), schema.Example(method.Input()))
}

// protos are the version's, compiled.
func (r *request) protos() (*schema.Schema, error) {
	c, err := r.source.Contract(r.Context(), r.ref)
	if err != nil {
		return nil, err
	}
	files := fstest.MapFS{}
	for name, text := range c.Protos {
		files[name] = &fstest.MapFile{Data: text}
	}
	compiled, err := schema.Compile(r.Context(), files, c.Entry, schema.Options{})
	if err != nil {
		return nil, fmt.Errorf("the version's protos do not compile: %w", err)
	}
	return compiled, nil
}

// place is where the version is called. A run on this machine has no namespace of a cluster.
func place(r *request) describe.Place {
	var at describe.Place
	if u, err := url.Parse(r.version.Web); err == nil {
		at.Web = u.Host
	}
	if host, _, err := net.SplitHostPort(r.version.Address); err == nil && loopback(host) {
		at.GRPC = r.version.Address
	}
	if at.Web == "" {
		at.Web = r.ref.Name + "." + r.ref.Namespace
	}
	return at
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// newContract describes the services of the entry, and the types of all files of the bundle.
// workflows has the names of workflows by the full names of rpcs.
func newContract(protos *schema.Schema, workflows map[string]string) *contractView {
	c := &contractView{}
	for i := range protos.Entry().Services().Len() {
		service := protos.Entry().Services().Get(i)
		s := serviceView{Name: string(service.FullName()), Comment: comment(service)}
		for j := range service.Methods().Len() {
			m := service.Methods().Get(j)
			s.Methods = append(s.Methods, methodView{
				Name: string(m.Name()), Comment: comment(m), Workflow: workflows[string(m.FullName())],
				Input: string(m.Input().FullName()), Output: string(m.Output().FullName()),
			})
		}
		c.Services = append(c.Services, s)
	}
	own := protos.Sources()
	for _, file := range protos.Files() {
		if _, ours := own[file.Path()]; ours {
			c.add(file.Messages(), file.Enums())
		}
	}
	c.link()
	return c
}

// add adds types, with those inside them.
func (c *contractView) add(messages protoreflect.MessageDescriptors, enums protoreflect.EnumDescriptors) {
	for i := range messages.Len() {
		m := messages.Get(i)
		if m.IsMapEntry() {
			continue
		}
		t := typeView{Name: string(m.FullName()), Comment: comment(m)}
		for j := range m.Fields().Len() {
			f := m.Fields().Get(j)
			kind, named := fieldType(f)
			t.Fields = append(t.Fields, fieldView{
				Name: string(f.Name()), Comment: comment(f), Number: int(f.Number()), Type: kind, Link: named,
			})
		}
		c.keep(t)
		c.add(m.Messages(), m.Enums())
	}
	for i := range enums.Len() {
		e := enums.Get(i)
		t := typeView{Name: string(e.FullName()), Comment: comment(e), Enum: true}
		for j := range e.Values().Len() {
			value := e.Values().Get(j)
			t.Fields = append(t.Fields, fieldView{Name: string(value.Name()), Comment: comment(value), Number: int(value.Number())})
		}
		c.keep(t)
	}
}

func (c *contractView) keep(t typeView) {
	if len(c.Types) < maxTypes {
		c.Types = append(c.Types, t)
	} else {
		c.More++
	}
}

// link keeps the links to types that are shown.
func (c *contractView) link() {
	shown := map[string]bool{}
	for _, t := range c.Types {
		shown[t.Name] = true
	}
	for _, t := range c.Types {
		for i := range t.Fields {
			if !shown[t.Fields[i].Link] {
				t.Fields[i].Link = ""
			}
		}
	}
}

// fieldType is the type as the proto has it, and the full name of the message or enum in it.
func fieldType(f protoreflect.FieldDescriptor) (kind, named string) {
	if f.IsMap() {
		key, _ := fieldType(f.MapKey())
		value, named := fieldType(f.MapValue())
		return "map<" + key + ", " + value + ">", named
	}
	switch kind = f.Kind().String(); {
	case f.Message() != nil:
		kind = string(f.Message().FullName())
		named = kind
	case f.Enum() != nil:
		kind = string(f.Enum().FullName())
		named = kind
	}
	switch {
	case f.IsList():
		kind = "repeated " + kind
	case f.HasOptionalKeyword():
		kind = "optional " + kind
	}
	return kind, named
}

// comment is the comment in front of a declaration, or behind it.
func comment(d protoreflect.Descriptor) string {
	at := d.ParentFile().SourceLocations().ByDescriptor(d)
	text := at.LeadingComments
	if strings.TrimSpace(text) == "" {
		text = at.TrailingComments
	}
	return strings.TrimSpace(text)
}
