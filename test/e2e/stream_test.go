package e2e_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/conformance/node"
	"krt.dev/kn-krt/test/namespace"
)

// streamLength is how many messages of 1 MiB a stream has: more than the buffers on its way
// hold, so that a client that does not read keeps it in the middle.
const streamLength = 64

var deliveries = map[string]v1alpha1.Delivery{former: v1alpha1.DeliveryDirect, latter: v1alpha1.DeliverySequence}

// streamer is a version with one pod of its node, whose workflow "stream" is that of a streaming rpc.
func (n place) streamer(name string, delivery v1alpha1.Delivery) {
	n.t.Helper()
	n.version(name, func(v *v1alpha1.Version) {
		v.Spec.Entrypoint.Delivery = delivery
		v.Spec.Nodes[0].Scale = &v1alpha1.Scale{Min: new(int32(1)), Max: new(int32(1))}
		v.Spec.Workflows = append(v.Spec.Workflows,
			v1alpha1.Workflow{Name: "stream", Entrypoint: "StreamOne", Sequential: []string{"only"}})
	})
}

// midStream is a call whose first message has come.
type midStream struct {
	n place
	grpc.ClientStream
	version string
}

// midStream begins a call at a Service, of so many messages of size bytes before the last one.
func (n place) midStream(service string, count, size int) midStream {
	n.t.Helper()
	conn, err := grpc.NewClient(n.Address(service, 9000), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(n.t, err)
	n.t.Cleanup(func() { _ = conn.Close() })
	s := midStream{n: n}
	n.Eventually(func() error {
		s.ClientStream, err = conn.NewStream(n.t.Context(), &grpc.StreamDesc{ServerStreams: true}, "/conformance.Entrypoint/StreamOne")
		if err != nil {
			return err
		}
		in := &node.Request{Orders: []*node.Order{{Act: node.Act_SEND, Number: int32(count), Size: int32(size)}}}
		if err := errors.Join(s.SendMsg(in), s.CloseSend()); err != nil {
			return err
		}
		first := &node.Reply{}
		err = s.RecvMsg(first)
		s.version = first.GetText()
		return err
	})
	return s
}

// rest reads what is left.
func (s midStream) rest() (messages int, err error) {
	for {
		message := &node.Reply{}
		if err := s.RecvMsg(message); errors.Is(err, io.EOF) {
			return messages, nil
		} else if err != nil {
			return messages, err
		}
		require.Equal(s.n.t, s.version, message.GetText())
		messages++
	}
}

// ends reads what is left: all of it.
func (s midStream) ends() {
	s.n.t.Helper()
	messages, err := s.rest()
	require.NoError(s.n.t, err)
	require.Equal(s.n.t, streamLength, messages)
}

// cut reads what is left, until an error.
func (s midStream) cut() {
	s.n.t.Helper()
	messages, err := s.rest()
	require.Contains(s.n.t, []codes.Code{codes.Unavailable, codes.DeadlineExceeded}, status.Code(err), "%v", err)
	require.Less(s.n.t, messages, streamLength)
}

// A stream outlives the publication of another version, the end of its connection's age and grace,
// and the end of its own version.
func TestPublishInMidStream(t *testing.T) {
	t.Parallel()
	n := newRuntime(t)
	const grace = 3 * time.Second
	n.SetTogether("config-krt", "krt-system", map[string]string{"connection-age": "2s", "connection-grace": grace.String()})
	for name, delivery := range deliveries {
		n.streamer(name, delivery)
	}
	for _, names := range [][]string{{former, latter}, {latter, former}} {
		for _, name := range names {
			n.Ready("version/" + name)
		}
		n.publish(names[0])
		n.published(names[0])
		var s midStream
		n.Eventually(func() error {
			if s = n.midStream("active-entrypoint", streamLength, 1<<20); s.version != names[0] {
				return fmt.Errorf("%s has responded", s.version)
			}
			return nil
		})
		n.publish(names[1])
		n.published(names[1])
		n.passes(3 * grace)
		n.In("patch", "version", names[0], "--type=merge", "--patch", `{"spec": {"state": "Stopped"}}`)
		n.Eventually(func() error {
			if n.Get("pods", "{.items[?(@.metadata.labels.version-name=='"+names[0]+"-entrypoint')].metadata.deletionTimestamp}") == "" {
				return errors.New("its entrypoint is not being stopped")
			}
			return nil
		})
		s.ends()
		n.stopped(names[0])
		n.In("patch", "version", names[0], "--type=merge", "--patch", `{"spec": {"state": "Started"}}`)
	}
}

// A pod that is deleted ends its streams first; those of a node that is gone at once, with its
// network, end with an error once there has been no message for too long.
func TestPodDeletedInMidStream(t *testing.T) {
	t.Parallel()
	n := newRuntime(t)
	n.Set("config-krt", "krt-system", "stream-idle", "5s")
	for name, delivery := range deliveries {
		n.streamer(name, delivery)
	}
	for name := range deliveries {
		n.called(name)
		node := "serving.knative.dev/service=" + name + "-only"
		for _, label := range []string{node, "version-name=" + name + "-entrypoint"} {
			s := n.midStream(name, streamLength, 1<<20)
			n.In("delete", "pod", "-l", label, "--wait=false")
			n.passes(2 * time.Second)
			s.ends()
			n.Ready("version/" + name)
		}
		s := n.midStream(name, streamLength, 1<<20)
		uids := strings.Fields(n.In("get", "pods", "-l", node, "-o", "jsonpath={.items[*].metadata.uid}"))
		n.In("delete", "pod", "-l", node, "--grace-period=0", "--force", "--wait=false")
		n.passes(10 * time.Second)  // a kubelet has it stop by itself for a moment even so
		n.Eventually(func() error { // and a busy one for longer
			if left := slices.ContainsFunc(uids, func(uid string) bool { return len(namespace.Processes(uid)) > 0 }); left {
				return errors.New("the pod has processes still")
			}
			return nil
		})
		s.cut()
		n.Ready("version/" + name)
	}
}

// A canary responds to streaming calls, too, and their messages come as they are sent.
func TestCanaryStreams(t *testing.T) {
	t.Parallel()
	n := newRuntime(t)
	for _, name := range []string{former, latter} {
		n.streamer(name, v1alpha1.DeliveryDirect)
	}
	n.Ready("version/" + former)
	n.Ready("version/" + latter)
	n.publish(former)
	n.published(former)
	n.divide(fmt.Sprintf(`{publishedVersion: %s, canary: {version: %s, weight: 100}}`, former, latter), "Serving 100")
	n.settled()
	n.Eventually(func() error { // an entrypoint may be told later that all is the canary's
		s := n.midStream("active-entrypoint", streamLength, 1<<20)
		if s.ends(); s.version != latter {
			return fmt.Errorf("%s has responded", s.version)
		}
		return nil
	})
	texts, failure := n.events(http.DefaultClient, "http://"+n.Address("active-entrypoint", 80))
	require.Empty(t, failure)
	require.Equal(t, []string{latter, latter, latter, latter}, texts)
}

// events calls the streaming rpc for Server-Sent Events, and returns the messages' texts and what
// the error says.
func (n place) events(client *http.Client, web string) (texts []string, failure string) {
	n.t.Helper()
	request, err := http.NewRequestWithContext(n.t.Context(), http.MethodPost, web+"/conformance.Entrypoint/StreamOne",
		strings.NewReader(`{"orders": [{"act": "SEND", "number": 3}]}`))
	require.NoError(n.t, err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "text/event-stream")
	response, err := client.Do(request)
	require.NoError(n.t, err)
	defer response.Body.Close()
	require.Equal(n.t, http.StatusOK, response.StatusCode)
	kind := ""
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case name == "event":
			kind = value
		case name == "data" && kind == "":
			_, text, _ := strings.Cut(value, `"text":`)
			texts = append(texts, strings.Split(strings.TrimSpace(text), `"`)[1])
		case name == "data" && kind == "error":
			failure = value
		}
	}
	require.NotEmpty(n.t, kind, "the stream has no end")
	return texts, failure
}
