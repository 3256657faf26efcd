package local

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint/record"
)

// stuck is a Reporter that blocks at each request until it is released.
type stuck struct {
	*recorder
	entered, release chan struct{}
}

func (s *stuck) Event(e Event) {
	if e.Type == EventRequest {
		s.entered <- struct{}{}
		<-s.release
	}
	s.recorder.Event(e)
}

func TestNoRequestWaitsForTheReporter(t *testing.T) {
	to := &stuck{newRecorder(), make(chan struct{}), make(chan struct{})}
	r := newRequests(to)
	seen := &record.Record{ID: "0"}
	r.Observe(seen)
	<-to.entered // it blocks
	for i := 1; i <= maxUnreported+3; i++ {
		seen.ID = strconv.Itoa(i) // the entrypoint uses its records again
		r.Observe(seen)
	}
	go func() {
		for range maxUnreported {
			to.release <- struct{}{}
			<-to.entered
		}
		to.release <- struct{}{}
	}()
	r.close()
	listed := to.of(EventRequest)
	require.Len(t, listed, maxUnreported+1)
	for i, e := range listed {
		require.Equal(t, strconv.Itoa(i), e.Request.ID)
	}
	warnings := to.of(EventWarning)
	require.Len(t, warnings, 1)
	require.Equal(t, "3 more requests are not listed: they came faster than lines are printed", warnings[0].Text)
}
