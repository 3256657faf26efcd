// Package compatible compares two contracts: whether a version can serve requests of clients
// that know the contract of another one.
//
// Requests are written by these clients and read by the version; its responses are written
// by it and read by them. They may be in protobuf's binary form or in JSON, and so numbers,
// types and names must be the same. What the version's contract has in addition does not
// matter: readers ignore unknown fields.
package compatible

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"krt.dev/kn-krt/pkg/schema"
	"krt.dev/kn-krt/pkg/schema/rest"
)

// maxProblems bounds what is reported.
const maxProblems = 20

// Check compares the rpcs that have workflows: those that clients know, and those that a
// version offers. It returns what of theirs the version cannot serve, each problem with its
// rpc and field; none if it can serve all.
func Check(known, offered []protoreflect.MethodDescriptor) (problems []string) {
	byName := map[protoreflect.FullName]protoreflect.MethodDescriptor{}
	for _, m := range offered {
		byName[m.FullName()] = m
	}
	for _, m := range known {
		found := checkMethod(m, byName[m.FullName()])
		problems = append(problems, found[:min(len(found), maxProblems-len(problems))]...)
	}
	return problems
}

func checkMethod(known, offered protoreflect.MethodDescriptor) []string {
	rpc := schema.MethodName(known)
	if offered == nil {
		return []string{fmt.Sprintf("rpc %s has no workflow", rpc)}
	}
	if known.IsStreamingServer() != offered.IsStreamingServer() {
		return []string{fmt.Sprintf("rpc %s: it returns %s, and returned %s", rpc, returned(offered), returned(known))}
	}
	c := checker{seen: map[visit]bool{}}
	for _, direction := range []struct {
		name           string
		writer, reader protoreflect.MessageDescriptor
		back           bool
	}{
		{"request", known.Input(), offered.Input(), false},
		{"response", offered.Output(), known.Output(), true},
	} {
		c.where, c.back = fmt.Sprintf("rpc %s, %s", rpc, direction.name), direction.back
		if w, r := direction.writer.FullName(), direction.reader.FullName(); w != r {
			if c.back {
				w, r = r, w
			}
			c.report("", "it is the message %s, and was %s", r, w)
			continue
		}
		c.message("", direction.writer, direction.reader)
	}
	if !sameRoutes(known, offered) {
		c.where = "rpc " + rpc
		c.report("", "its annotation google.api.http differs")
	}
	return c.problems
}

// returned names what an rpc returns. A client of one kind cannot read responses of the other.
func returned(m protoreflect.MethodDescriptor) string {
	if m.IsStreamingServer() {
		return "a stream of messages"
	}
	return "one message"
}

// sameRoutes reports whether the paths that clients know of an rpc are the same.
func sameRoutes(known, offered protoreflect.MethodDescriptor) bool {
	rule := rest.Rule(known)
	return rule == nil || proto.Equal(rule, rest.Rule(offered))
}

// checker compares messages in one direction: what a writer sends, a reader must understand.
type checker struct {
	where string
	// back: the writer is the version, and the reader its client.
	back     bool
	seen     map[visit]bool
	problems []string
}

// visit is a comparison that has been made, or is being made.
type visit struct {
	writer, reader protoreflect.FullName
	back           bool
}

func (c *checker) report(field, format string, args ...any) {
	text := c.where
	if field != "" {
		text += fmt.Sprintf(", field %q", field)
	}
	c.problems = append(c.problems, text+": "+fmt.Sprintf(format, args...))
}

// ordered returns what a writer and a reader have: first that of the contract that clients
// know, then that of the version's.
func ordered[T any](c *checker, writer, reader T) (theirs, ours T) {
	if c.back {
		return reader, writer
	}
	return writer, reader
}

func (c *checker) message(path string, writer, reader protoreflect.MessageDescriptor) {
	of := visit{writer.FullName(), reader.FullName(), c.back}
	if c.seen[of] || len(c.problems) >= maxProblems {
		return
	}
	c.seen[of] = true
	theirs, ours := ordered(c, writer, reader)
	if t, o := theirs.FullName(), ours.FullName(); t != o && (wellKnown(t) || wellKnown(o)) {
		c.report(path, "it is a %s, and was a %s", o, t)
		return
	}
	for i := range theirs.Fields().Len() {
		known := theirs.Fields().Get(i)
		if field := ours.Fields().ByNumber(known.Number()); field != nil {
			c.field(join(path, known), known, field)
		} else if !deprecated(known) || known.Cardinality() == protoreflect.Required {
			c.report(join(path, known), "it is missing")
		}
	}
	c.required(path, writer, reader)
	c.oneofs(path, writer, reader)
}

// wellKnown reports whether a message has a JSON form of its own.
func wellKnown(name protoreflect.FullName) bool { return name.Parent() == "google.protobuf" }

func join(path string, f protoreflect.FieldDescriptor) string {
	if path == "" {
		return string(f.Name())
	}
	return path + "." + string(f.Name())
}

// deprecated reports whether a contract has announced that a field will go.
func deprecated(f protoreflect.FieldDescriptor) bool {
	options, ok := f.Options().(interface{ GetDeprecated() bool })
	return ok && options.GetDeprecated()
}

// required reports fields that the reader requires and the writer does not have.
func (c *checker) required(path string, writer, reader protoreflect.MessageDescriptor) {
	numbers := reader.RequiredNumbers()
	for i := range numbers.Len() {
		f := writer.Fields().ByNumber(numbers.Get(i))
		always := f != nil && f.Cardinality() == protoreflect.Required
		missing := f == nil && c.back // that is reported already
		if !always && !missing {
			c.report(join(path, reader.Fields().ByNumber(numbers.Get(i))), "it is required, and not always sent")
		}
	}
}

// oneofs reports fields of which the writer may send several, and the reader keeps the last.
func (c *checker) oneofs(path string, writer, reader protoreflect.MessageDescriptor) {
	for i := range reader.Oneofs().Len() {
		fields := reader.Oneofs().Get(i).Fields()
		var first protoreflect.FieldDescriptor
		for j := range fields.Len() {
			f := writer.Fields().ByNumber(fields.Get(j).Number())
			switch {
			case f == nil:
			case first == nil:
				first = f
			case f.ContainingOneof() == nil || f.ContainingOneof() != first.ContainingOneof():
				c.report(join(path, f), "it shares a oneof with %q in one of the contracts only", first.Name())
			}
		}
	}
}
