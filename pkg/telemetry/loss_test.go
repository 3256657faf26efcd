package telemetry

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAPartialSuccessIsNothingElse: what a server that refuses a batch has sent may look so.
func TestAPartialSuccessIsNothingElse(t *testing.T) {
	warning := errors.New("OTLP partial success: empty message (0 spans rejected)")
	for text, c := range map[string]struct {
		err  error
		want int
	}{
		"one":           {warning, 0},
		"joined":        {errors.Join(errors.Join(warning, nil)), 0},
		"with another":  {errors.Join(warning, errors.New("lost")), 7},
		"in a body":     {fmt.Errorf("failed to send: 400 Bad Request (body: %w)", warning), 7},
		"another text":  {errors.New("lost (0 spans rejected)"), 7},
		"not a number":  {errors.New("OTLP partial success: x (99999999999999999999 spans rejected)"), 7},
		"other signals": {errors.New("OTLP partial success: x (0 log records rejected)"), 7},
	} {
		require.Equal(t, c.want, rejected(c.err, 7), text)
	}
}
