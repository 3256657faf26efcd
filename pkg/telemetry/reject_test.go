package telemetry_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"

	"krt.dev/kn-krt/pkg/telemetry"
)

// TestOnlyRejectedSpansAreLost: of a partial success, which has their number.
func TestOnlyRejectedSpansAreLost(t *testing.T) {
	for _, protocol := range []telemetry.Protocol{telemetry.GRPC, telemetry.HTTP} {
		for name, c := range map[string]struct {
			partial        *coltracepb.ExportTracePartialSuccess
			exported, lost int
		}{
			"a warning":     {&coltracepb.ExportTracePartialSuccess{ErrorMessage: "slow (9 spans rejected)"}, 5, 0},
			"some rejected": {&coltracepb.ExportTracePartialSuccess{RejectedSpans: 2, ErrorMessage: "too old"}, 3, 2},
			"no message":    {&coltracepb.ExportTracePartialSuccess{RejectedSpans: 1}, 4, 1},
			"more than all": {&coltracepb.ExportTracePartialSuccess{RejectedSpans: 1 << 40}, 0, 5},
			"less than one": {&coltracepb.ExportTracePartialSuccess{RejectedSpans: -1}, 5, 0},
		} {
			t.Run(fmt.Sprint(name, ", ", protocol), func(t *testing.T) {
				collector := receive(t, protocol)
				collector.partial = c.partial
				v := start(t, false)
				require.NoError(t, v.call(t.Context(), "x"))
				v.recorder.Close(time.Minute)
				v.recorder = nil
				require.Contains(t, v.scrape(), fmt.Sprintf("krt_spans_exported_total %d\n", c.exported))
				require.Contains(t, v.scrape(), fmt.Sprintf("krt_spans_dropped_total{reason=\"export_failed\"} %d\n", c.lost))
			})
		}
	}
}
