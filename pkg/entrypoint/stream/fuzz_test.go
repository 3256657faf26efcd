package stream_test

import (
	"bytes"
	"io"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/entrypoint/stream"
	"krt.dev/kn-krt/pkg/runner/event"
)

// FuzzRelay relays any bytes: the client gets whole messages that are in them, in order, and
// what ends without an end frame is never a good end. Nothing is held afterwards.
func FuzzRelay(f *testing.F) {
	good, _ := io.ReadAll(frames(&event.End{Steps: "a;1;1;1;00f067aa0ba902b7;ok"}, "one", "", "three"))
	for _, seed := range [][]byte{
		good, good[:9], nil, []byte("request timeout"), {0, 255, 255, 255, 255}, {2, 255, 255, 255, 255}, {1, 0, 0, 0, 1, 0},
		[]byte("\x02\x00\x00\x00\x02{}\x00"), []byte("\x02\x00\x00\x00\x1e{\"error\":{\"code\":\"internal\"}} "),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		budget := memory.New(1<<20, new(atomic.Int64), 16)
		var came []byte
		s := stream.New("p.M", stream.Limits{Messages: 1000}, stream.Sink{Send: func(data mem.Buffer, freed func(int64)) error {
			came = event.AppendFrame(came, data.ReadOnlyData())
			freed(int64(cap(data.ReadOnlyData())))
			data.Free()
			return nil
		}})
		ended := make(chan error, 1)
		go func() {
			p, err := s.Claim("k")
			if err == nil {
				_, err = p.Relay(t.Context(), bytes.NewReader(body), stream.Source{Pool: memory.NewPool(budget), Limit: 1 << 10})
				p.Close()
			}
			s.End(nil)
			ended <- err
		}()
		if err := s.Wait(t.Context(), t.Context()); err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(body, came) {
			t.Fatalf("%q became %q", body, came)
		}
		if err := <-ended; err == nil && (len(body) == len(came) || body[len(came)] != 2) {
			t.Fatalf("%q ended well", body)
		}
		if budget.Used() != 0 {
			t.Fatalf("%d bytes are held", budget.Used())
		}
	})
}
