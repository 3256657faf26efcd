package letter

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

func valid() Letter {
	return Letter{Kind: Dead, ID: DeadID("c0ffee", 1), Version: "v1", Workflow: "flow"}
}

func TestCheck(t *testing.T) {
	whole := valid()
	require.NoError(t, whole.Check())
	for want, change := range map[string]func(*Letter){
		"kind: ":          func(l *Letter) { l.Kind = "x" },
		"id: ":            func(l *Letter) { l.ID = "a/../b" },
		"workflow: m":     func(l *Letter) { l.Workflow = "" },
		"node: ":          func(l *Letter) { l.Node = "a\nb" },
		"version: ":       func(l *Letter) { l.Version = strings.Repeat("v", 64) },
		"message: ":       func(l *Letter) { l.Message = "\xff" },
		"causation_id: ":  func(l *Letter) { l.CausationID = strings.Repeat("c", 201) },
		"step: ":          func(l *Letter) { l.Step = -1 },
		"replays: ":       func(l *Letter) { l.Replays = -1 },
		"data: ":          func(l *Letter) { l.Data = make([]byte, MaxData+1) },
		"data: a claim":   func(l *Letter) { l.Kind, l.Data = Claim, []byte{1} },
		"causation_id: m": func(l *Letter) { l.Kind = Claim },
		"time: ":          func(l *Letter) { l.Time = time.Unix(-1, 0).UTC() },
		"expires: ":       func(l *Letter) { l.Expires = time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC) },
		"status: ":        func(l *Letter) { l.Status = &Status{Code: "NO_CODE"} },
		"status: its m":   func(l *Letter) { l.Status = &Status{Code: "OK", Message: "\x00"} },
		"status: its p":   func(l *Letter) { l.Status = &Status{Code: "OK", Proto: make([]byte, MaxProto+1)} },
		"event: ":         func(l *Letter) { l.Event = map[string]string{"A": ""} },
		"event: its":      func(l *Letter) { l.Event = map[string]string{"a": strings.Repeat("x", MaxEvent)} },
	} {
		l := valid()
		change(&l)
		require.ErrorContains(t, l.Check(), want)
	}
}

func TestStatus(t *testing.T) {
	require.Nil(t, StatusOf(nil))
	require.Nil(t, (*Status)(nil).RPC())
	info, err := anypb.New(&errdetails.ErrorInfo{Reason: "STEP_TIMEOUT"})
	require.NoError(t, err)
	s := &status.Status{Code: int32(code.Code_DEADLINE_EXCEEDED), Message: strings.Repeat("é", 5000), Details: []*anypb.Any{info}}
	kept := StatusOf(s)
	require.Equal(t, "DEADLINE_EXCEEDED", kept.Code)
	require.Equal(t, "STEP_TIMEOUT", kept.Reason)
	require.NoError(t, kept.check())
	require.Equal(t, s.GetMessage(), kept.RPC().GetMessage(), "all of it is kept")

	s.Message = strings.Repeat("x", MaxProto)
	kept = StatusOf(s)
	require.NoError(t, kept.check())
	require.Equal(t, int32(code.Code_DEADLINE_EXCEEDED), kept.RPC().GetCode())
	require.Empty(t, kept.RPC().GetDetails())

	require.Equal(t, "UNKNOWN", StatusOf(&status.Status{Code: 99}).Code)
	byName := &Status{Code: "ABORTED", Message: "m", Proto: []byte{0xff}}
	require.Equal(t, int32(code.Code_ABORTED), byName.RPC().GetCode())
	require.NoError(t, StatusOf(&status.Status{Message: "a\x00\xff"}).check())
}

// FuzzCheck: a letter that is valid is the same after its JSON, and its path names it.
func FuzzCheck(f *testing.F) {
	f.Add([]byte(`{"kind":"dead","id":"a/1","version":"v","workflow":"w","step":1,"event":{"type":"x"},"data":"AAE="}`))
	f.Add([]byte(`{"kind":"result","id":"..","workflow":"w","status":{"code":"OK"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var l Letter
		if json.Unmarshal(text, &l) != nil || l.Check() != nil {
			return
		}
		again, err := json.Marshal(l)
		require.NoError(t, err)
		var read Letter
		require.NoError(t, json.Unmarshal(again, &read))
		require.NoError(t, read.Check())
		require.Equal(t, Path+string(l.Kind)+"/"+l.ID, pathOf(l.Kind, l.ID), "the id needs no escapes")
		require.Equal(t, l.Bytes(), read.Bytes())
	})
}
