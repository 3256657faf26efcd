package canary

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/render"
	"krt.dev/kn-krt/pkg/runner/clip"
)

const (
	// podTime is how long the metrics of one entrypoint may take, podsAtOnce how many are read at a time.
	podTime    = 5 * time.Second
	podsAtOnce = 8
	// maxWhy bounds the text of an error in a status, in bytes.
	maxWhy = 300
)

// Meter measures what plans are judged by: metrics of entrypoints, predictions in the store, and
// results of a Prometheus.
type Meter struct {
	// Client reads pods, from a cache.
	Client client.Reader
	// Settings are the cluster's.
	Settings func() (render.Settings, error)
	// StoreKey is the key by which credentials for the store are sealed.
	StoreKey func() ([]byte, error)
	// Dial replaces how connections are made; nil for the network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Measure measures once. What cannot be measured is in the result, with its reason.
func (m *Meter) Measure(ctx context.Context, task Task) Measurement {
	out := Measurement{Queries: map[string]float64{}, Away: map[string]string{}}
	out.Reading, out.Unread = m.entrypoints(ctx, task)
	if task.Limits.Accuracy != nil {
		m.accuracy(ctx, task, &out)
	}
	for _, q := range task.Limits.Query {
		m.query(ctx, task, q, &out)
	}
	out.At = time.Now()
	return out
}

// entrypoints reads the metrics of all entrypoints of the published version.
func (m *Meter) entrypoints(ctx context.Context, task Task) (r Reading, unread string) {
	var list corev1.PodList
	selected := client.MatchingLabels(render.EntrypointPods(task.Published))
	if err := m.Client.List(ctx, &list, client.InNamespace(task.Namespace), selected, client.UnsafeDisableDeepCopy); err != nil {
		return r, fmt.Sprintf("the pods of %q cannot be listed: %s", task.Published, why(err))
	}
	r = Reading{Pods: map[string]Counts{}, Running: map[string]bool{}}
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(podsAtOnce)
	scraper, failed := m.client(""), map[string]string{} // why, by the name of the pod
	for i := range list.Items {
		pod := &list.Items[i]
		if pod.Status.PodIP == "" || pod.Status.Phase != corev1.PodRunning {
			continue // it serves nothing yet, or no more
		}
		r.Running[string(pod.UID)] = true
		group.Go(func() error {
			counters, err := scrape(ctx, scraper, pod.Status.PodIP, task.Canary)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				r.Pods[string(pod.UID)] = counters
			case pod.DeletionTimestamp == nil:
				failed[pod.Name] = why(err)
			}
			return nil
		})
	}
	_ = group.Wait()
	switch {
	case len(r.Running) == 0:
		return r, fmt.Sprintf("no entrypoint of %q runs", task.Published)
	case len(failed) > 0:
		first := failed[slices.Min(slices.Collect(maps.Keys(failed)))]
		return r, fmt.Sprintf("the metrics of %d of %d entrypoints of %q cannot be read: %s", len(failed), len(r.Running), task.Published, first)
	}
	return r, ""
}

// scrape reads the metrics of one entrypoint about a canary.
func scrape(ctx context.Context, client *http.Client, ip, canary string) (Counts, error) {
	ctx, cancel := context.WithTimeout(ctx, podTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, render.MetricsURL(ip), nil)
	if err != nil {
		return Counts{}, err
	}
	request.Header.Set("Accept", accept)
	response, err := client.Do(request)
	if err != nil {
		return Counts{}, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return Counts{}, fmt.Errorf("the response has status %d", response.StatusCode)
	}
	return parse(response.Body, canary)
}

// client returns a client that trusts the certificates in ca, the system's if it is empty. It
// follows no redirects: what it may reach is decided by its URLs.
func (m *Meter) client(ca string) *http.Client {
	transport := &http.Transport{DialContext: m.Dial, DisableKeepAlives: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	if ca != "" {
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		transport.TLSClientConfig.RootCAs.AppendCertsFromPEM([]byte(ca))
	}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// why is the text of an error without what differs each time, such as ports: a status must not
// change with it.
func why(err error) string {
	var op *net.OpError
	var request *url.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no response in time"
	case errors.As(err, &op):
		return op.Err.Error()
	case errors.As(err, &request):
		return clip.Text(request.Err.Error(), maxWhy)
	}
	return clip.Text(err.Error(), maxWhy)
}
