package pods

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// askTime bounds the wait for a pod's response.
const askTime = time.Second

// Knative's headers for questions of an ingress to queue-proxy, which it answers itself: they are no requests
// for the autoscaler. (knative.dev/networking/pkg/http/header)
const (
	headerProbe = "K-Network-Probe"
	probe       = "probe"
	headerHash  = "K-Network-Hash"
	hash        = "kn-krt"
)

// asking makes a connection for each question, as requests do to a pod that is new.
var asking = &http.Transport{
	DialContext:       (&net.Dialer{Timeout: askTime}).DialContext,
	DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 16 << 10,
}

// Ask asks the queue-proxy at address, host:port, whether it accepts requests. It does not once its pod is about
// to end. Whatever else responds there is refused.
func Ask(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/", http.NoBody)
	if err != nil {
		return err
	}
	request.Header.Set(headerProbe, probe)
	request.Header.Set(headerHash, hash)
	response, err := asking.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, 512)
	if response.StatusCode != http.StatusOK || response.Header.Get(headerHash) != hash {
		return fmt.Errorf("asked whether it accepts requests, it responded with HTTP %d", response.StatusCode)
	}
	return nil
}

// slow reports whether err means that there was no response in time.
func slow(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.As(err, &timeout) && timeout.Timeout()
}

// notFound reports whether err means that a host has no address: no pod is ready.
func notFound(err error) bool {
	var missing *net.DNSError
	return errors.As(err, &missing) && missing.IsNotFound
}
