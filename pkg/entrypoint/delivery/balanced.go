package delivery

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"

	"krt.dev/kn-krt/pkg/entrypoint/httpclient"
	"krt.dev/kn-krt/pkg/entrypoint/pods"
)

// maxRefusals is how many pods may refuse a connection before an event goes another way.
const maxRefusals = 3

// balanced is the way to the pods of a node, past the ingress, used while one of them accepts requests.
type balanced struct {
	*exchange
	*pods.Set
}

// balance returns the way to the pods at an address. Nodes that are part of several workflows have one.
func (s *Sender) balance(node string, address *url.URL) *balanced {
	s.mu.Lock()
	defer s.mu.Unlock()
	way := s.ways[address.Host]
	if way == nil {
		way = &balanced{exchange: s.podsOf(node, s.exchange), Set: pods.New(node, address, pods.Options{
			Lookup: func(ctx context.Context, host string) ([]netip.Addr, error) {
				return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
			},
			Ask: pods.Ask, Gone: s.client.Forget, Logger: s.log,
		})}
		s.ways[address.Host] = way
	}
	return way
}

// post posts p to a pod; see [exchange.post]. It reports false if none accepts a connection, so that p can
// go another way.
func (b *balanced) post(ctx context.Context, p *Parcel, made *send) (response *Parcel, sent bool, err error) {
	for range maxRefusals {
		pod := b.Pick()
		if pod == nil {
			break
		}
		response, err = b.exchange.post(ctx, pod.URL, p, made)
		end := endOf(err)
		if ctx.Err() != nil && !errors.Is(context.Cause(ctx), ErrSilent) { // not because of the pod
			end = pods.Responded
		}
		pod.Done(end, err)
		switch {
		case ctx.Err() != nil || !httpclient.DialFailed(err):
			return response, true, err
		case httpclient.Busy(err): // and so may be the others: requests queue in front of the Knative Service
			return nil, false, nil
		}
	}
	return nil, false, nil
}

// endOf is what err says about the pod.
func endOf(err error) pods.End {
	var response *responseError
	switch {
	case errors.As(err, &response) && response.status == http.StatusBadGateway:
		return pods.Refused
	case response != nil && response.status >= http.StatusInternalServerError:
		return pods.Failed
	case err == nil || response != nil || !retryable(err):
		return pods.Responded
	case httpclient.Busy(err):
		return pods.Failed
	case httpclient.DialFailed(err):
		return pods.Refused
	}
	return pods.Broke
}
