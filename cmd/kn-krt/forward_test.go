//go:build !local

package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/runtime"
)

func TestEndsOfForwardedConnectionsAreNotReported(t *testing.T) {
	var reported []string
	runtime.ErrorHandlers = withoutEnds([]runtime.ErrorHandler{func(_ context.Context, err error, message string, _ ...any) {
		reported = append(reported, fmt.Sprint(message, " ", err))
	}})
	for _, text := range []string{
		"error copying from local connection to remote stream: read tcp4 127.0.0.1:34403: connection reset by peer",
		"error copying from remote stream to local connection: write tcp4 127.0.0.1:34403: broken pipe",
		"an error occurred forwarding 40001 -> 9000: connection refused",
	} {
		runtime.HandleError(errors.New(text))
	}
	runtime.HandleErrorWithContext(t.Context(), nil, "lost")
	require.Equal(t, []string{"Unhandled Error an error occurred forwarding 40001 -> 9000: connection refused", "lost <nil>"}, reported)
}
