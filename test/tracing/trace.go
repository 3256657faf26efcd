package tracing

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Span is a span as Jaeger shows it.
type Span struct {
	ID, Parent string // 16 hexadecimal digits; Parent is empty of a root
	// Service is the resource's service.name, Kind "server", "producer" and so on.
	Service, Name, Kind string
	Begin               time.Time
	Duration            time.Duration
	// Failed is set by the status ERROR, and Status is the text with it.
	Failed bool
	Status string
	// Tags are the attributes, of the resource too.
	Tags map[string]string
}

// End is when the span ended.
func (s *Span) End() time.Time { return s.Begin.Add(s.Duration) }

// Trace is the spans of one trace, by the time they began.
type Trace []Span

// Find returns the spans with that name.
func (t Trace) Find(name string) (found []Span) {
	for _, s := range t {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// Below reports whether one span is an ancestor of another, both given by their ids.
func (t Trace) Below(ancestor, id string) bool {
	for range t { // a loop of parents ends too
		at := slices.IndexFunc(t, func(s Span) bool { return s.ID == id })
		if at < 0 {
			return false
		}
		if id = t[at].Parent; id == ancestor {
			return true
		}
	}
	return false
}

// Orphans returns the spans whose parent is not in the trace, and is not the caller's span
// either, which the caller itself would report. A root has no parent.
func (t Trace) Orphans(caller string) (orphans []Span) {
	for _, s := range t {
		known := s.Parent == "" || s.Parent == caller ||
			slices.ContainsFunc(t, func(other Span) bool { return other.ID == s.Parent })
		if !known {
			orphans = append(orphans, s)
		}
	}
	return orphans
}

// String shows the trace as a tree, for messages of tests.
func (t Trace) String() string {
	var text strings.Builder
	var show func(parent, indent string)
	show = func(parent, indent string) {
		for _, s := range t {
			if s.Parent == parent {
				fmt.Fprintf(&text, "%s%s [%s %s] %s failed=%t %s\n", indent, s.Name, s.Service, s.Kind, s.Duration, s.Failed, s.Status)
				show(s.ID, indent+"  ")
			}
		}
	}
	roots := map[string]bool{}
	for _, s := range append(t.Orphans(""), Span{}) {
		if !roots[s.Parent] {
			roots[s.Parent] = true
			show(s.Parent, "  ")
		}
	}
	return text.String()
}

// tag is an attribute in Jaeger's JSON.
type tag struct {
	Key   string
	Value any
}

// read reads a trace in Jaeger's JSON.
func read(text []byte) (id string, trace Trace, err error) {
	var in struct {
		TraceID   string
		Processes map[string]struct {
			ServiceName string
			Tags        []tag
		}
		Spans []struct {
			SpanID, OperationName, ProcessID string
			StartTime, Duration              int64 // in microseconds
			Tags                             []tag
			References                       []struct{ RefType, TraceID, SpanID string }
		}
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return "", nil, err
	}
	for _, from := range in.Spans {
		process := in.Processes[from.ProcessID]
		s := Span{
			ID: from.SpanID, Service: process.ServiceName, Name: from.OperationName, Tags: map[string]string{},
			Begin: time.UnixMicro(from.StartTime), Duration: time.Duration(from.Duration) * time.Microsecond,
		}
		for _, t := range append(process.Tags, from.Tags...) {
			s.Tags[t.Key] = fmt.Sprint(t.Value)
		}
		s.Kind, s.Status, s.Failed = s.Tags["span.kind"], s.Tags["otel.status_description"], s.Tags["otel.status_code"] == "ERROR"
		for _, r := range from.References {
			if r.RefType == "CHILD_OF" && r.TraceID == in.TraceID {
				s.Parent = r.SpanID
			}
		}
		trace = append(trace, s)
	}
	slices.SortStableFunc(trace, func(a, b Span) int { return a.Begin.Compare(b.Begin) })
	return in.TraceID, trace, nil
}
