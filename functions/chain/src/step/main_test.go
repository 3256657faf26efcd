package main

import (
	"bytes"
	"slices"
	"testing"

	"krt.dev/kn-krt/pkg/runner/runnertest"

	pb "chain/proto"
)

func TestAddsItsNameAndKeepsTheRest(t *testing.T) {
	t.Setenv("KRT_NODE_NAME", "step-2")
	sent := &pb.Payload{Body: []byte("body"), Hops: []string{"step-1"}}
	got := &pb.Payload{}
	runnertest.New(t, handlerInit, handler).Call(sent).Message(got)
	if !bytes.Equal(got.GetBody(), sent.GetBody()) || !slices.Equal(got.GetHops(), []string{"step-1", "step-2"}) {
		t.Errorf("got %v", got)
	}
}
