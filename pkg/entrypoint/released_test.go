package entrypoint

import (
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/mail"
	"krt.dev/kn-krt/pkg/runner/event"
)

// Once a replica has released its version it knows of no workflow: what another one can keep is not accepted.
func TestAReplicaThatHasStoppedAcceptsNothingThatIsKept(t *testing.T) {
	e := &Entrypoint{options: Options{Mail: mail.New(nil, slog.New(slog.DiscardHandler))}}
	e.table.Store(&table{})
	for keep, want := range map[event.Keep]int{event.KeepResult: http.StatusServiceUnavailable, event.KeepNothing: 0} {
		ev := &event.Event{Keep: keep, Replied: true}
		require.Equal(t, want, e.orphan(http.Header{}, "/reply", ev, mem.SliceBuffer(nil)))
	}
}
