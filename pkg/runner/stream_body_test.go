package runner

import (
	"errors"
	"net"
	"net/http"
	"testing"
)

// TestABodyThatIsPostedAgain: what has been given up takes no frame of the next attempt, and
// what has been read from is not posted again.
func TestABodyThatIsPostedAgain(t *testing.T) {
	p := &post{frames: make(chan []byte, 1), taken: make(chan struct{}, 1)}
	p.frames <- []byte("frame")
	first, second := &postBody{post: p}, &postBody{post: p}
	if again, err := first.result(http.StatusServiceUnavailable, nil); !again || err == nil {
		t.Fatalf("got %v, %v", again, err)
	}
	if n, err := first.Read(make([]byte, 16)); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Fatalf("read %d bytes, %v", n, err)
	}
	if n, err := second.Read(make([]byte, 16)); n != len("frame") || err != nil {
		t.Fatalf("read %d bytes, %v", n, err)
	}
	for _, lost := range []error{nil, net.ErrClosed} {
		if again, err := second.result(http.StatusServiceUnavailable, lost); again || err == nil {
			t.Fatalf("got %v, %v", again, err)
		}
	}
}
