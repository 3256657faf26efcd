package backlog_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/cluster/backlog"
)

// It is asked about what is lost for sure, or may well be.
func TestLoss(t *testing.T) {
	for _, one := range []struct {
		loss   backlog.Loss
		likely bool
		text   string
	}{
		{backlog.Loss{}, false, ""},
		{backlog.Loss{Events: 1}, true, "1 event waits in its queue, and is deleted with it"},
		{backlog.Loss{Events: 12}, true, "12 events wait in its queue, and are deleted with it"},
		{backlog.Loss{Stopped: true}, false, "events that wait in its queue, if there are any, are deleted with it"},
		{backlog.Loss{Stopped: true, Left: true}, true,
			"it was stopped without waiting for its queue: events that wait there are deleted with it"},
		{backlog.Loss{Err: errors.New("no pod")}, true,
			"events that wait in its queue are deleted with it; how many is not known: no pod"},
	} {
		require.Equal(t, one.likely, one.loss.Likely())
		require.Equal(t, one.text, one.loss.Text())
	}
}
