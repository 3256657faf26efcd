// Package promql asks a Prometheus, or what serves its API, for the numbers of a version: one
// query for all that is shown.
package promql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

const (
	// maxResponse bounds what is read of a response, in bytes.
	maxResponse = 32 << 20
	// recent is the time that numbers of now are of: it must have two readings of the metrics,
	// which Prometheus makes each minute unless it is told otherwise.
	recent = 2 * time.Minute
	// least is the least time of a rate in a chart.
	least = 2 * time.Minute
)

// Client asks one Prometheus. It may be used by many goroutines at a time.
type Client struct {
	base *url.URL
	http *http.Client
	// turn is held by who reads the loads of all versions, loads is what was read last.
	turn  chan struct{}
	loads atomic.Pointer[loads]
}

// New returns a client of the Prometheus at an address, a URL of http or https that may have a path.
func New(address string) (*Client, error) {
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("%q is not the URL of a Prometheus, such as http://prometheus.monitoring:9090", address)
	}
	return &Client{base: base, http: &http.Client{Timeout: 30 * time.Second}, turn: make(chan struct{}, 1)}, nil
}

// Numbers returns those of the last two minutes; nil if Prometheus knows nothing of the version.
func (c *Client) Numbers(ctx context.Context, ref source.Ref) (*source.Numbers, error) {
	now := time.Now()
	series, err := c.send(ctx, "query", url.Values{"query": {query(ref, recent)}, "time": {unix(now)}})
	if err != nil || len(series) == 0 {
		return nil, err
	}
	n := &source.Numbers{At: now, Over: recent, From: from, Workflows: map[string]*source.WorkflowNumbers{}}
	for _, s := range series {
		if s.Value != nil {
			set(n, s.Metric, s.Value.value)
		}
	}
	return n, nil
}

// from is the name of Prometheus for people.
const from = "Prometheus"

// Chart returns the numbers of a time.
func (c *Client) Chart(ctx context.Context, ref source.Ref, span source.Span) (*source.Chart, error) {
	chart := &source.Chart{From: from, Times: span.Times()}
	if len(chart.Times) == 0 {
		return chart, nil
	}
	series, err := c.send(ctx, "query_range", url.Values{
		"query": {query(ref, max(span.Step, least))}, "step": {strconv.Itoa(int(span.Step.Seconds()))},
		"start": {unix(chart.Times[0])}, "end": {unix(chart.Times[len(chart.Times)-1])},
	})
	if err != nil {
		return nil, err
	}
	for _, s := range series {
		switch m := source.Measure(s.Metric[label]); m {
		case source.Requests, source.Errors, source.Median, source.Slowest, source.Pods:
			line := source.Line{Measure: m, Workflow: s.Metric["workflow"], Node: s.Metric["node"]}
			line.Values = values(chart.Times, s.Values)
			chart.Lines = append(chart.Lines, line)
		}
	}
	return chart, nil
}

// values puts points at their times.
func values(times []time.Time, points []point) []float64 {
	at := make(map[int64]float64, len(points))
	for _, p := range points {
		at[p.time.Unix()] = p.value
	}
	out := make([]float64, len(times))
	for i, t := range times {
		value, known := at[t.Unix()]
		if !known || math.IsInf(value, 0) {
			value = math.NaN()
		}
		out[i] = value
	}
	return out
}

// set sets the number that a series is.
func set(n *source.Numbers, labels map[string]string, value float64) {
	if !isNumber(value) || labels["workflow"] == "" {
		return
	}
	w := n.Workflows[labels["workflow"]]
	if w == nil {
		w = &source.WorkflowNumbers{Nodes: map[string]*source.NodeNumbers{}}
		n.Workflows[labels["workflow"]] = w
	}
	name := labels["node"]
	if name == "" {
		setLoad(&w.Load, labels[label], value)
		return
	}
	if w.Nodes[name] == nil {
		w.Nodes[name] = &source.NodeNumbers{}
	}
	setNode(w.Nodes[name], labels[label], value)
}

func isNumber(value float64) bool { return !math.IsNaN(value) && !math.IsInf(value, 0) }

func setNode(n *source.NodeNumbers, what string, value float64) {
	switch what {
	case waited:
		n.Waited = seconds(value)
	case retried:
		n.Retries = value
	case gaveUp:
		n.GaveUp = value
	default:
		setLoad(&n.Load, what, value)
	}
}

func setLoad(l *source.Load, what string, value float64) {
	switch source.Measure(what) {
	case source.Requests:
		l.PerSecond = value
	case source.Errors:
		l.Errors = value
	case source.Median:
		l.P50 = seconds(value)
	case source.Slowest:
		l.P95 = seconds(value)
	}
}

func seconds(value float64) time.Duration { return time.Duration(value * float64(time.Second)) }

func unix(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }

// series is one series of a response.
type series struct {
	Metric map[string]string
	Value  *point
	Values []point
}

// point is a value and its time, which are [1700000000.1, "12"] on the wire.
type point struct {
	time  time.Time
	value float64
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *point) UnmarshalJSON(text []byte) error {
	var at float64
	var value string
	if err := json.Unmarshal(text, &[]any{&at, &value}); err != nil {
		return err
	}
	number, err := strconv.ParseFloat(value, 64)
	p.time, p.value = time.UnixMilli(int64(math.Round(at*1000))), number
	return err
}

// send sends a query. It is a POST, because a query is long.
func (c *Client) send(ctx context.Context, what string, values url.Values) ([]series, error) {
	at := c.base.JoinPath("api/v1", what).String()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(values.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("Prometheus does not respond: %w", unwrapped(err)) //nolint:staticcheck // it is a name
	}
	defer func() { _ = response.Body.Close() }()
	return decode(response.Status, io.LimitReader(response.Body, maxResponse))
}

// unwrapped leaves out the URL, which may have a password.
func unwrapped(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// decode reads a response of the API.
func decode(status string, body io.Reader) ([]series, error) {
	var r struct {
		Status, Error string
		Data          struct{ Result []series }
	}
	if err := json.NewDecoder(body).Decode(&r); err != nil {
		return nil, fmt.Errorf("the response is not that of a Prometheus (status %s): %w", status, err)
	}
	if r.Status != "success" {
		return nil, fmt.Errorf("Prometheus refuses the query: %.500s", r.Error) //nolint:staticcheck // it is a name
	}
	return r.Data.Result, nil
}
