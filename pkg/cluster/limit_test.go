package cluster

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// fakeServer responds as an API server does.
type fakeServer func(*http.Request) (*http.Response, error)

func (f fakeServer) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func silent(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// busy asks to try again after that many seconds.
func busy(seconds string) fakeServer {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {seconds}}, Request: r,
			Body: io.NopCloser(strings.NewReader("busy")),
		}, nil
	}
}

func TestRequestsAreLimitedInTime(t *testing.T) {
	get := func(ctx context.Context, c *Client) error {
		_, err := c.Get(ctx, "log") // its address ends as that of a pod's log
		return err
	}
	watch := func(ctx context.Context, c *Client) error {
		_, err := c.kube.Watch(ctx, &v1alpha1.VersionList{})
		return err
	}
	for name, test := range map[string]struct {
		server fakeServer
		do     func(context.Context, *Client) error
		took   time.Duration
		reason Reason
	}{
		"silent":               {silent, get, RequestTimeout, ReasonUnreachable},
		"busy":                 {busy("20"), get, RequestTimeout, ReasonUnreachable},
		"busy for long":        {busy("3600"), get, 0, ReasonOther},
		"watch":                {silent, watch, time.Hour, ReasonUnreachable},
		"watch, busy for long": {busy("3600"), watch, 0, ReasonOther},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, err := New(&rest.Config{Host: "http://cluster", Transport: test.server}, "ns")
				require.NoError(t, err)
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				started := time.Now()
				err = c.explain(test.do(ctx, c), "cannot try")
				require.Equal(t, test.took, time.Since(started))
				var failed *Error
				require.ErrorAs(t, err, &failed)
				require.Equal(t, test.reason, failed.Reason)
			})
		})
	}
}
