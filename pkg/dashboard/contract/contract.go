// Package contract describes the services and types of protos, for people.
package contract

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"krt.dev/kn-krt/pkg/schema"
)

// maxTypes is how many messages and enums of a contract are shown.
const maxTypes = 300

// Contract is what clients can call, and with what.
type Contract struct {
	Services []Service
	Types    []Type
	// More is how many types are left out.
	More int
}

// Service is a service.
type Service struct {
	Name, Comment string
	Methods       []Method
}

// Method is an rpc.
type Method struct {
	Name, Comment string
	// Input and Output are its messages; InputLink and OutputLink their names if these are shown.
	Input, Output, InputLink, OutputLink string
	// Streams is whether it returns a stream of the output rather than one.
	Streams bool
	// Workflow is the one that the rpc starts; empty for none.
	Workflow string
}

// Type is a message or an enum.
type Type struct {
	Name, Comment string
	Enum          bool
	Fields        []Field
}

// Field is a field of a message or a value of an enum.
type Field struct {
	Name, Comment string
	Number        int
	// Type is the field's, Link the name of its message or enum if that is shown.
	Type, Link string
}

// New describes the services of the entry, and the types of all files of the bundle.
// workflows has the names of workflows by the full names of rpcs.
func New(protos *schema.Schema, workflows map[string]string) *Contract {
	c := &Contract{}
	for i := range protos.Entry().Services().Len() {
		service := protos.Entry().Services().Get(i)
		s := Service{Name: string(service.FullName()), Comment: comment(service)}
		for j := range service.Methods().Len() {
			m := service.Methods().Get(j)
			s.Methods = append(s.Methods, Method{
				Name: string(m.Name()), Comment: comment(m), Workflow: workflows[string(m.FullName())],
				Input: string(m.Input().FullName()), Output: string(m.Output().FullName()), Streams: m.IsStreamingServer(),
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
func (c *Contract) add(messages protoreflect.MessageDescriptors, enums protoreflect.EnumDescriptors) {
	for i := range messages.Len() {
		m := messages.Get(i)
		if m.IsMapEntry() {
			continue
		}
		t := Type{Name: string(m.FullName()), Comment: comment(m)}
		for j := range m.Fields().Len() {
			f := m.Fields().Get(j)
			kind, named := fieldType(f)
			t.Fields = append(t.Fields, Field{
				Name: string(f.Name()), Comment: comment(f), Number: int(f.Number()), Type: kind, Link: named,
			})
		}
		c.keep(t)
		c.add(m.Messages(), m.Enums())
	}
	for i := range enums.Len() {
		e := enums.Get(i)
		t := Type{Name: string(e.FullName()), Comment: comment(e), Enum: true}
		for j := range e.Values().Len() {
			value := e.Values().Get(j)
			t.Fields = append(t.Fields, Field{Name: string(value.Name()), Comment: comment(value), Number: int(value.Number())})
		}
		c.keep(t)
	}
}

func (c *Contract) keep(t Type) {
	if len(c.Types) < maxTypes {
		c.Types = append(c.Types, t)
	} else {
		c.More++
	}
}

// link keeps the links to types that are shown.
func (c *Contract) link() {
	shown := map[string]bool{}
	for _, t := range c.Types {
		shown[t.Name] = true
	}
	only := func(name string) string {
		if shown[name] {
			return name
		}
		return ""
	}
	for _, s := range c.Services {
		for i, m := range s.Methods {
			s.Methods[i].InputLink, s.Methods[i].OutputLink = only(m.Input), only(m.Output)
		}
	}
	for _, t := range c.Types {
		for i := range t.Fields {
			t.Fields[i].Link = only(t.Fields[i].Link)
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
