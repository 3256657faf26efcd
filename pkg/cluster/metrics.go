package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"

	"krt.dev/kn-krt/pkg/cluster/tunnel"
)

// metricsURL is where an entrypoint serves its metrics: at its reply port.
const (
	replyPort  = 8081
	metricsURL = "http://127.0.0.1:8081/metrics"
)

// Metrics reads what the entrypoint of a version counts, of all its ready pods: each counts on
// its own. It is reached as a port-forward reaches it, so that the right to create
// pods/portforward is needed, and stays connected until it is closed: it may be read again and
// again, by one goroutine at a time.
type Metrics struct {
	c               *Client
	version, accept string
	open            map[string]*metricsPod
}

// metricsPod is a pod that is connected to.
type metricsPod struct {
	tunnel *tunnel.Tunnel
	http   *http.Client
}

func (p *metricsPod) close() {
	p.http.CloseIdleConnections()
	p.tunnel.Close()
}

// Metrics returns the metrics of a version's entrypoint, in the format that the value of the
// header Accept asks for. Nothing is sent yet.
func (c *Client) Metrics(version, accept string) *Metrics {
	return &Metrics{c: c, version: version, accept: accept, open: map[string]*metricsPod{}}
}

// Close ends the connections.
func (m *Metrics) Close() {
	for _, p := range m.open {
		p.close()
	}
	clear(m.open)
}

// Read calls each with the metrics of each pod, one call at a time. It returns the pods whose
// metrics could not be read, or of which each has returned an error. Its error is a
// [*NotFoundError], an [*UnavailableError] if no pod is ready, or an [*Error]: why none of the
// pods could be read.
func (m *Metrics) Read(ctx context.Context, each func(pod string, metrics io.Reader) error) (missing []string, err error) {
	pods, err := m.c.entrypointPods(ctx, m.version)
	if err != nil {
		return nil, err
	}
	connected, failures := make([]*metricsPod, len(pods)), make([]error, len(pods))
	for i, pod := range pods {
		connected[i] = m.open[pod]
		delete(m.open, pod)
	}
	m.Close() // of pods that are gone
	var (
		reading sync.WaitGroup
		calling sync.Mutex
		places  = make(chan struct{}, maxTunnels)
	)
	for i, pod := range pods {
		reading.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			connected[i], failures[i] = m.readPod(ctx, pod, connected[i], func(metrics io.Reader) error {
				calling.Lock()
				defer calling.Unlock()
				return each(pod, metrics)
			})
		})
	}
	reading.Wait()
	for i, pod := range pods {
		if failures[i] == nil {
			m.open[pod] = connected[i]
		} else {
			missing = append(missing, pod)
		}
	}
	if slices.Contains(failures, nil) {
		return missing, nil
	}
	return nil, m.c.explain(failures[0], fmt.Sprintf("cannot read the metrics of version %q", m.version))
}

// readPod reads the metrics of a pod, over its connection if there is one. One that fails is closed:
// it may be too old, and another one is tried.
func (m *Metrics) readPod(ctx context.Context, pod string, p *metricsPod, each func(io.Reader) error) (*metricsPod, error) {
	if p != nil {
		err := m.get(ctx, p, each)
		if err == nil {
			return p, nil
		}
		p.close()
		if ctx.Err() != nil {
			return nil, err
		}
	}
	t, err := tunnel.Open(ctx, m.c.config, m.c.namespace, pod)
	if err != nil {
		return nil, err
	}
	p = &metricsPod{t, t.Client(replyPort)}
	if err := m.get(ctx, p, each); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (m *Metrics) get(ctx context.Context, p *metricsPod, each func(io.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, RequestTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, metricsURL, http.NoBody)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", m.accept)
	response, err := p.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return errors.New("the entrypoint responded with status " + response.Status)
	}
	return each(response.Body)
}
