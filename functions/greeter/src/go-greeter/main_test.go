package main

import (
	"testing"

	"krt.dev/kn-krt/pkg/runner/runnertest"

	pb "krt.dev/kn-krt/functions/greeter/src/go-greeter/proto"
)

func TestGreetsByName(t *testing.T) {
	answer := &pb.Response{}
	runnertest.New(t, handlerInit, handler).Call(&pb.Request{Name: "Ada"}).Message(answer)
	if answer.GetGreeting() != "Hello, Ada!" || answer.GetGreetedBy() != "go-greeter" {
		t.Errorf("got %v", answer)
	}
}

func TestWantsAName(t *testing.T) {
	failure := runnertest.New(t, handlerInit, handler).Call(&pb.Request{}).Failure()
	if failure == nil || failure.Text != "error in 'node': no name to greet" {
		t.Errorf("got %v", failure)
	}
}

func TestWantsARequest(t *testing.T) {
	failure := runnertest.New(t, handlerInit, handler).Call(&pb.Response{}).Failure()
	if failure == nil {
		t.Error("took a message of another type")
	}
}
