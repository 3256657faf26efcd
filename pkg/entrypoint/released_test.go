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
	for _, c := range []struct {
		path string
		keep event.Keep
		want int
	}{
		{"/reply", event.KeepResult, http.StatusServiceUnavailable},
		{"/reply", event.KeepDead, 0}, // it is a response, and no dead letter
		{"/reply", event.KeepNothing, 0},
		{pathDeadLetter, event.KeepDead, http.StatusServiceUnavailable},
		{pathDeadLetter, event.KeepNothing, 0},
	} {
		ev := &event.Event{Keep: c.keep, Replied: true}
		require.Equal(t, c.want, e.orphan(http.Header{}, c.path, ev, mem.SliceBuffer(nil)), c)
	}
}
