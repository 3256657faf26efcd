package letter

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"krt.dev/kn-krt/pkg/runner/clip"
)

// Status is a google.rpc.Status: its parts that people read, and all of it.
type Status struct {
	// Code is the name of the code, such as UNAVAILABLE.
	Code string `json:"code"`
	// Reason is that of the ErrorInfo in its details; empty if there is none.
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	// Proto is the google.rpc.Status with its details, as protobuf; empty if it is too large.
	Proto []byte `json:"proto,omitempty"`
}

// StatusOf is the Status of a google.rpc.Status; nil if that is nil. A text that is too long is
// clipped, and details that do not fit are left out.
func StatusOf(s *status.Status) *Status {
	if s == nil {
		return nil
	}
	kept := &Status{Code: codeName(s.GetCode()), Message: legal(s.GetMessage())}
	for _, detail := range s.GetDetails() {
		info := &errdetails.ErrorInfo{}
		if detail.MessageIs(info) && detail.UnmarshalTo(info) == nil {
			if reason := clip.Text(info.GetReason(), maxName-len("…")); plain(reason) {
				kept.Reason = reason
			}
			break
		}
	}
	whole, err := proto.Marshal(s)
	if err != nil || len(whole) > MaxProto {
		whole, _ = proto.Marshal(&status.Status{Code: s.GetCode(), Message: kept.Message})
	}
	kept.Proto = whole
	return kept
}

// codeName is the name of a code; one that is not known is UNKNOWN.
func codeName(c int32) string {
	name, known := code.Code_name[c]
	if !known {
		return code.Code_UNKNOWN.String()
	}
	return name
}

// legal is a text of a status as it can be kept.
func legal(text string) string {
	return clip.Text(strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", "\uFFFD"), "\uFFFD"), MaxStatus-len("…"))
}

// RPC is the google.rpc.Status; nil of nil. One that cannot be read is made of the other fields.
func (s *Status) RPC() *status.Status {
	if s == nil {
		return nil
	}
	whole := &status.Status{}
	if len(s.Proto) > 0 && proto.Unmarshal(s.Proto, whole) == nil {
		return whole
	}
	number, known := code.Code_value[s.Code]
	if !known {
		number = int32(code.Code_UNKNOWN)
	}
	return &status.Status{Code: number, Message: s.Message}
}

func (s *Status) check() error {
	if s == nil {
		return nil
	}
	if _, known := code.Code_value[s.Code]; !known {
		return fmt.Errorf("status: %.40q is not the name of a code, such as UNAVAILABLE", s.Code)
	}
	if len(s.Reason) > maxName || !plain(s.Reason) {
		return fmt.Errorf("status: its reason must be text of at most %d bytes", maxName)
	}
	if len(s.Message) > MaxStatus || !utf8.ValidString(s.Message) || strings.Contains(s.Message, "\x00") {
		return fmt.Errorf("status: its message must be text of at most %d bytes", MaxStatus)
	}
	if len(s.Proto) > MaxProto {
		return fmt.Errorf("status: its proto has %d bytes, the limit is %d", len(s.Proto), MaxProto)
	}
	return nil
}
