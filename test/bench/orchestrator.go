package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

// orchestratorSettings say which nodes an orchestrator calls.
type orchestratorSettings struct {
	Nodes []string // host:port
	// Least sends the least header a node takes instead of passing the events'
	// own on.
	Least bool
}

// raw is the raw pooled HTTP orchestrator: one request in by net/http's server,
// a POST to each node in turn by net/http's pooled client, and the last answer
// out. It reads, checks and makes nothing: an event's header goes from the
// caller to the first node, from its answer to the second, and so on.
type raw struct {
	nodes     []*url.URL
	least     http.Header
	transport *http.Transport
	buffers   sync.Pool
}

// orchestrator is the role of a raw orchestrator.
func orchestrator(ctx context.Context, settings json.RawMessage, _ *http.ServeMux) ([]string, error) {
	var s orchestratorSettings
	if err := json.Unmarshal(settings, &s); err != nil {
		return nil, err
	}
	o := &raw{transport: &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true}}
	o.buffers.New = func() any { return new([]byte) }
	if s.Least {
		o.least = leastHeader()
	}
	for _, n := range s.Nodes {
		o.nodes = append(o.nodes, &url.URL{Scheme: "http", Host: n, Path: "/"})
	}
	return serve(ctx, o)
}

// ServeHTTP implements http.Handler.
func (o *raw) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in, out := o.buffers.Get().(*[]byte), o.buffers.Get().(*[]byte)
	defer func() { o.buffers.Put(in); o.buffers.Put(out) }()
	err := read(r.Body, r.ContentLength, in)
	header := events(r.Header)
	for _, node := range o.nodes {
		if err != nil {
			break
		}
		if o.least != nil {
			header = o.least
		}
		header, err = o.post(r.Context(), node, header, *in, out)
		in, out = out, in
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/protobuf")
	w.Header().Set("Content-Length", strconv.Itoa(len(*in)))
	_, _ = w.Write(*in)
}

// post posts data and reads the answer into buffer.
func (o *raw) post(ctx context.Context, node *url.URL, header http.Header, data []byte, buffer *[]byte) (http.Header, error) {
	req := (&http.Request{
		Method: http.MethodPost, URL: node, Host: node.Host, Header: header,
		ContentLength: int64(len(data)), Body: io.NopCloser(bytes.NewReader(data)),
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil },
	}).WithContext(ctx)
	res, err := o.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("node answered %s", res.Status)
	}
	return events(res.Header), read(res.Body, res.ContentLength, buffer)
}

// events returns what of a header is an event's.
func events(h http.Header) http.Header {
	out := make(http.Header, len(h))
	for name, values := range h {
		if strings.HasPrefix(name, "Ce-") || name == "Content-Type" {
			out[name] = values
		}
	}
	return out
}

func read(from io.Reader, length int64, buffer *[]byte) error {
	if int64(cap(*buffer)) < length {
		*buffer = make([]byte, length)
	}
	*buffer = (*buffer)[:length]
	_, err := io.ReadFull(from, *buffer)
	return err
}
