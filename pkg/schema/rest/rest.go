// Package rest reads the google.api.http annotations of a contract: which of its
// rpcs can be called by paths of their own in addition to /package.Service/Method.
package rest

import (
	"fmt"
	"net/http"
	"strings"

	"connectrpc.com/vanguard"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// maxAnnotated bounds the annotated rpcs of a contract: each is tried with those
// before it.
const maxAnnotated = 256

// Problem is an annotation that cannot be served.
type Problem struct {
	// Method is the rpc.
	Method protoreflect.MethodDescriptor
	// Text is the reason.
	Text string
}

// Services returns the services of a contract with those annotations only that
// can be served together, and what is wrong with the others. Of two that clash,
// the first is kept.
func Services(file protoreflect.FileDescriptor) ([]protoreflect.ServiceDescriptor, []Problem) {
	annotated := annotatedMethods(file)
	problems := obvious(annotated)
	dropped := map[protoreflect.FullName]bool{}
	for _, p := range problems {
		dropped[p.Method.FullName()] = true
	}
	if try(services(file, dropped)) == nil {
		return services(file, dropped), problems
	}
	// One by one, those before it kept: so each error is about one annotation.
	var candidates []protoreflect.MethodDescriptor
	for _, m := range annotated {
		if !dropped[m.FullName()] {
			candidates = append(candidates, m)
			dropped[m.FullName()] = true
		}
	}
	for _, m := range candidates {
		dropped[m.FullName()] = false
		if err := try(services(file, dropped)); err != nil {
			dropped[m.FullName()] = true
			problems = append(problems, Problem{m, cause(err)})
		}
	}
	return services(file, dropped), problems
}

// obvious is what is wrong with each annotation by itself, except what vanguard finds.
func obvious(annotated []protoreflect.MethodDescriptor) (problems []Problem) {
	for i, m := range annotated {
		rule := ruleOf(m)
		switch path := ownPath(rule); {
		case i >= maxAnnotated:
			problems = append(problems, Problem{m, fmt.Sprintf("only %d rpcs of a contract can have one", maxAnnotated)})
		case m.IsStreamingServer():
			problems = append(problems, Problem{m, fmt.Sprintf("it returns a stream, for which clients use POST /%s/%s",
				m.Parent().FullName(), m.Name())})
		case rule == nil:
			problems = append(problems, Problem{m, "it cannot be read"})
		case path != "":
			problems = append(problems, Problem{m, fmt.Sprintf("the path %q is the entrypoint's own", path)})
		}
	}
	return problems
}

// try reports why services cannot be transcoded.
func try(services []protoreflect.ServiceDescriptor) error {
	all := make([]*vanguard.Service, len(services))
	for i, s := range services {
		all[i] = vanguard.NewServiceWithSchema(s, http.NotFoundHandler())
	}
	_, err := vanguard.NewTranscoder(all)
	return err
}

// cause is the text of err after the rpc's name.
func cause(err error) string {
	text := err.Error()
	for _, before := range []string{"failed to configure method ", "failed to add REST route ", "for method "} {
		if _, rest, ok := strings.Cut(text, before); ok {
			if _, after, ok := strings.Cut(rest, ": "); ok {
				text = after
			}
		}
	}
	return text
}

// annotatedMethods are the rpcs with an annotation, in the file's order.
func annotatedMethods(file protoreflect.FileDescriptor) (all []protoreflect.MethodDescriptor) {
	for i := range file.Services().Len() {
		methods := file.Services().Get(i).Methods()
		for j := range methods.Len() {
			if m := methods.Get(j); m.Options().ProtoReflect().Has(annotations.E_Http.TypeDescriptor()) {
				all = append(all, m)
			}
		}
	}
	return all
}

// Rule returns the annotation of an rpc, nil if it has none, or one that cannot be read.
func Rule(m protoreflect.MethodDescriptor) *annotations.HttpRule {
	if !m.Options().ProtoReflect().Has(annotations.E_Http.TypeDescriptor()) {
		return nil
	}
	return ruleOf(m)
}

// ruleOf is the annotation of m, nil if it cannot be read.
func ruleOf(m protoreflect.MethodDescriptor) *annotations.HttpRule {
	value := m.Options().ProtoReflect().Get(annotations.E_Http.TypeDescriptor()).Message().Interface()
	if rule, ok := value.(*annotations.HttpRule); ok {
		return rule
	}
	// It is of a type that the contract's compiler has made.
	raw, err := proto.Marshal(value)
	rule := &annotations.HttpRule{}
	if err != nil || proto.Unmarshal(raw, rule) != nil {
		return nil
	}
	return rule
}

// ownPath is the first path of rule that an entrypoint uses itself.
func ownPath(rule *annotations.HttpRule) string {
	for _, r := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
		for _, path := range []string{r.GetGet(), r.GetPost(), r.GetPut(), r.GetPatch(), r.GetDelete(), r.GetCustom().GetPath()} {
			if path == "/" || strings.HasPrefix(path, "/workflows/") || strings.HasPrefix(path, "/proto/") || strings.HasPrefix(path, "/_krt/") {
				return path
			}
		}
	}
	return ""
}

// services are the services of file, without the annotations of the dropped rpcs.
func services(file protoreflect.FileDescriptor, dropped map[protoreflect.FullName]bool) []protoreflect.ServiceDescriptor {
	all := make([]protoreflect.ServiceDescriptor, file.Services().Len())
	for i := range all {
		all[i] = service{file.Services().Get(i), dropped}
	}
	return all
}

// service is a service without the annotations of the dropped rpcs.
type service struct {
	protoreflect.ServiceDescriptor
	dropped map[protoreflect.FullName]bool
}

// Methods implements protoreflect.ServiceDescriptor.
func (s service) Methods() protoreflect.MethodDescriptors {
	return methods{s.ServiceDescriptor.Methods(), s.dropped}
}

type methods struct {
	protoreflect.MethodDescriptors
	dropped map[protoreflect.FullName]bool
}

// Get implements protoreflect.MethodDescriptors.
func (m methods) Get(i int) protoreflect.MethodDescriptor {
	return m.bare(m.MethodDescriptors.Get(i))
}

// ByName implements protoreflect.MethodDescriptors.
func (m methods) ByName(name protoreflect.Name) protoreflect.MethodDescriptor {
	return m.bare(m.MethodDescriptors.ByName(name))
}

func (m methods) bare(method protoreflect.MethodDescriptor) protoreflect.MethodDescriptor {
	if method == nil || !m.dropped[method.FullName()] {
		return method
	}
	return bareMethod{method}
}

// bareMethod is a method without options.
type bareMethod struct{ protoreflect.MethodDescriptor }

// Options implements protoreflect.Descriptor.
func (bareMethod) Options() protoreflect.ProtoMessage { return &descriptorpb.MethodOptions{} }
