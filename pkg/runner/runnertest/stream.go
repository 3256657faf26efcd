package runnertest

import (
	"fmt"
	"io"
	"net/http"

	"google.golang.org/protobuf/proto"

	"krt.dev/kn-krt/pkg/runner/event"
)

// mostBytes limits a message that the node sends, and a reply.
const mostBytes = 64 << 20

// Streaming has calls belong to a streaming rpc whose output is of the type of output, with
// the node as the workflow's last one: see [runner.HandlerContext.Send].
func Streaming(output proto.Message) Option { return StreamingBefore(node, output) }

// StreamingBefore is Streaming for a node before the workflow's last one, which is named last.
func StreamingBefore(last string, output proto.Message) Option {
	return func(s *settings) {
		s.stream = event.Stream{Last: last, Message: string(output.ProtoReflect().Descriptor().FullName())}
	}
}

// part is what the node has sent of a stream.
type part struct {
	messages []*event.Event
	// replied is how many of them came before the end of an early reply; 0: none.
	replied int
	end     event.End
}

// readPart reads a stream with the headers h to its end.
func readPart(h http.Header, body io.Reader) (*part, error) {
	head, err := event.ReadHeader(h)
	if err != nil {
		return nil, err
	}
	p := &part{}
	for {
		end, length, err := event.ReadFrame(body, mostBytes)
		if err != nil {
			return nil, fmt.Errorf("the stream was cut after %d messages: %w", len(p.messages), err)
		}
		data, err := event.ReadBody(body, int64(length), mostBytes)
		if err != nil {
			return nil, fmt.Errorf("the stream was cut after %d messages: %w", len(p.messages), err)
		}
		if !end {
			e := *head
			e.Data = data
			p.messages = append(p.messages, &e)
			continue
		}
		if p.end, err = event.ParseEnd(data); err != nil {
			return nil, err
		}
		if !p.end.Replied {
			return p, nil
		}
		p.replied = len(p.messages)
	}
}

// takeStream receives a stream at the reply port.
func (r *Runner) takeStream(w http.ResponseWriter, req *http.Request) {
	head, err := event.ReadHeader(req.Header)
	if err == nil {
		var p *part
		if p, err = readPart(req.Header, req.Body); err == nil {
			r.mu.Lock()
			r.parts[head.CorrelationID] = append(r.parts[head.CorrelationID], p)
			r.mu.Unlock()
			w.WriteHeader(http.StatusAccepted)
			return
		}
	}
	http.Error(w, err.Error(), http.StatusBadRequest)
}

// takePart records what the node has sent to the client of a streaming rpc.
func (r *Result) takePart(p *part) {
	r.sent = append(r.sent, p.messages...)
	if p.replied > 0 {
		r.replies = append(r.replies, p.messages[p.replied-1])
	}
	if p.end.Next {
		return
	}
	if p.end.Failure != nil {
		r.fail(p.end.Failure)
	}
	step, _ := p.end.Steps.Last()
	r.exited = step.Outcome == event.OutcomeExit
	r.ended = r.failure != nil || r.exited
	if n := len(p.messages); n > 0 && r.failure == nil {
		if r.exited {
			r.replies = append(r.replies, p.messages[n-1])
		} else if p.replied == 0 {
			r.message = p.messages[n-1]
		}
	}
}
