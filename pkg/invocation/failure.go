package invocation

import (
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
)

// Failure is an error response of a version.
type Failure struct {
	// Code is as gRPC's documents write it: DEADLINE_EXCEEDED.
	Code     string            `json:"code"`
	Message  string            `json:"message"`
	Reason   string            `json:"reason,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// NewFailure is what the error of a call has.
func NewFailure(err error) Failure {
	st := status.Convert(err)
	f := Failure{Code: code.Code(st.Code()).String(), Message: st.Message()}
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			f.Reason, f.Metadata = info.GetReason(), info.GetMetadata()
		}
	}
	return f
}

// Unauthenticated reports whether the version has refused the client, and no node has.
func (f Failure) Unauthenticated() bool {
	return f.Code == code.Code_UNAUTHENTICATED.String() && f.Reason == ""
}

// Details are the reason and the metadata on one line: "reason HANDLER_ERROR, node model, …".
func (f Failure) Details() string {
	var parts []string
	if f.Reason != "" {
		parts = append(parts, "reason "+f.Reason)
	}
	// The most useful ones first, then the rest by name.
	known := []string{"node", "workflow", "version"}
	for _, key := range known {
		if value := f.Metadata[key]; value != "" {
			parts = append(parts, key+" "+value)
		}
	}
	var rest []string
	for key, value := range f.Metadata {
		if !slices.Contains(known, key) && value != "" {
			rest = append(rest, key+" "+value)
		}
	}
	slices.Sort(rest)
	return strings.Join(append(parts, rest...), ", ")
}
