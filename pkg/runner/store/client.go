package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/runner/event"
)

const (
	// requestTimeout limits one request; the context of the call may end sooner.
	requestTimeout = 10 * time.Second
	// pageDocuments is how many documents a page has at most.
	pageDocuments = 5000
	// MaxFoundBytes limits all documents that Find reads, as JSON.
	MaxFoundBytes = 256 << 20
	// maxResponseBytes limits a response: more than the store sends at most.
	maxResponseBytes = 32 << 20
)

// Client is a client of a store. It is safe for concurrent use. Its requests continue the
// trace of their context, if that has one (see [event.ContextWithTrace]).
type Client struct {
	base          string
	authorization string // the header; empty for none
	transport     *http.Transport
	http          *http.Client
}

// New returns a client of the store at rawURL: unix:///path/to.sock, http://host:port or
// https://host:port. It fails only for a malformed URL and for the options' errors;
// nothing is sent yet.
func New(rawURL string, options ...Option) (*Client, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{MaxIdleConns: 64, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute, DisableCompression: true}
	base := strings.TrimSuffix(u.String(), "/")
	switch {
	case u.Scheme == "unix" && u.Host == "" && path.IsAbs(u.Path):
		socket := u.Path
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}
		base = "http://store"
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
	default:
		return nil, fmt.Errorf("%q is not of the form unix:///path, http://host:port or https://host:port", rawURL)
	}
	c := &Client{base: base, transport: transport, http: &http.Client{
		Transport: transport, Timeout: requestTimeout,
		// A store redirects nobody, and the credential and the data are for it alone.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for _, option := range options {
		if err := option(c); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Do sends a request, to whose URL only the path and the parameters belong, to the store with the
// client's credentials. It is for what the client has no method for.
func (c *Client) Do(r *http.Request) (*http.Response, error) {
	base, err := url.Parse(c.base)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.Host = base.Scheme, base.Host, ""
	r.URL.Path, r.URL.RawPath = base.Path+r.URL.Path, ""
	if c.authorization != "" {
		r.Header.Set("Authorization", c.authorization)
	}
	event.ContextTrace(r.Context()).WriteHeader(r.Header)
	return c.http.Do(r)
}

// SaveMeasurement saves m.
func (c *Client) SaveMeasurement(ctx context.Context, from Origin, m Measurement) error {
	m.Fields = floats(m.Fields)
	if err := c.post(ctx, from, PathMeasurements, m, nil); err != nil {
		return fmt.Errorf("cannot save the measurement %q: %w", m.Name, err)
	}
	return nil
}

// floats returns fields with whole numbers of floating point written as such: JSON's 2 would
// become an integer, and a series of floats would refuse it.
func floats(fields map[string]any) map[string]any {
	kept := maps.Clone(fields)
	for name, value := range fields {
		var f float64
		bits := 64
		switch v := value.(type) {
		case float64:
			f = v
		case float32:
			bits, f = 32, float64(v)
		default:
			continue
		}
		if math.Trunc(f) == f && !math.IsInf(f, 0) {
			text := strconv.FormatFloat(f, 'g', -1, bits)
			if !strings.Contains(text, "e") {
				text += ".0"
			}
			kept[name] = json.Number(text)
		}
	}
	return kept
}

// SavePrediction saves p.
func (c *Client) SavePrediction(ctx context.Context, from Origin, p Prediction) error {
	if err := c.post(ctx, from, PathPredictions, p, nil); err != nil {
		return fmt.Errorf("cannot save the prediction: %w", err)
	}
	return nil
}

// Save saves data, which encoding/json must write as an object, as a document of the
// collection coll and returns its id.
func (c *Client) Save(ctx context.Context, from Origin, coll string, data any) (id string, err error) {
	var saved Saved
	body := map[string]any{"data": data}
	if err := c.post(ctx, from, PathCollections+url.PathEscape(coll), body, &saved); err != nil {
		return "", fmt.Errorf("cannot save in the collection %q: %w", coll, err)
	}
	return saved.ID, nil
}

// Find reads the documents of the collection coll that match query into res, a
// pointer to a slice, in the order in which they were saved. It reads them page by page;
// more than MaxFoundBytes are an error.
func (c *Client) Find(ctx context.Context, from Origin, coll string, query map[string]any, res any) error {
	found, err := c.FindJSON(ctx, from, coll, query)
	if err == nil {
		err = json.Unmarshal(found, res)
	}
	if err != nil {
		return fmt.Errorf("cannot find in the collection %q: %w", coll, err)
	}
	return nil
}

// FindJSON is [Client.Find] without its decoding: it returns the documents as one list. That
// is what the store has sent, whose values have not been looked at.
func (c *Client) FindJSON(ctx context.Context, from Origin, coll string, query map[string]any) ([]byte, error) {
	path := PathCollections + url.PathEscape(coll) + "/find"
	request := FindRequest{Query: query, Limit: pageDocuments}
	var list []byte
	for {
		body, err := c.send(ctx, from, path, request)
		if err != nil {
			return nil, err
		}
		documents, next, err := pageOf(body)
		if err != nil {
			return nil, err
		}
		list = joined(list, documents)
		switch {
		case len(list) > MaxFoundBytes:
			return nil, fmt.Errorf("it has more than %d bytes: narrow the query", MaxFoundBytes)
		case next == "":
			return list, nil
		case next == request.Cursor:
			return nil, errors.New("the store's pages do not end")
		}
		request.Cursor = next
	}
}

// joined is a list of the elements of two lists, as JSON; the first may be nil.
func joined(list, more []byte) []byte {
	inner := func(list []byte) []byte { return bytes.TrimSpace(list[1 : len(list)-1]) }
	switch {
	case list == nil || len(inner(list)) == 0:
		return more
	case len(inner(more)) == 0:
		return list
	}
	list = append(append(list[:len(list)-1], ','), inner(more)...)
	return append(list, ']')
}

// pageOf returns the documents of a page, a list, and the cursor of the next one.
func pageOf(body []byte) (documents []byte, next string, err error) {
	if documents, next, ok := cutPage(body); ok {
		return documents, next, nil
	}
	var page struct { // Found, but its documents are decoded once, together
		Documents json.RawMessage
		Next      string
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return nil, "", err
	}
	if len(page.Documents) == 0 || page.Documents[0] != '[' {
		return nil, "", errors.New("the store's response has no documents")
	}
	return page.Documents, page.Next, nil
}

// cutPage cuts a page as our store writes it: its documents are decoded anyway, and looking at
// each of their characters twice before takes longer than to send them. Behind the last bracket
// of one there can be nothing else: in a string, a quote would have a backslash before it.
func cutPage(body []byte) (documents []byte, next string, ok bool) {
	list, begins := bytes.CutPrefix(body, []byte(`{"documents":`))
	end := bytes.LastIndexByte(list, ']') + 1
	if !begins || end == 0 || list[0] != '[' {
		return nil, "", false
	}
	switch rest := list[end:]; {
	case string(rest) == "}":
		return list[:end], "", true
	case bytes.HasPrefix(rest, []byte(`,"next":"`)) && rest[len(rest)-1] == '}':
		err := json.Unmarshal(rest[len(`,"next":`):len(rest)-1], &next)
		return list[:end], next, err == nil
	}
	return nil, "", false
}

// post sends body and decodes the response into res, unless that is nil.
func (c *Client) post(ctx context.Context, from Origin, path string, body, res any) error {
	response, err := c.send(ctx, from, path, body)
	if err != nil || res == nil {
		return err
	}
	return json.Unmarshal(response, res)
}

// send sends body and returns the response, which is no error.
func (c *Client) send(ctx context.Context, from Origin, path string, body any) ([]byte, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.authorization != "" {
		req.Header.Set("Authorization", c.authorization)
	}
	req.Header.Set(HeaderVersion, from.Version)
	req.Header.Set(HeaderNode, from.Node)
	req.Header.Set(HeaderWorkflow, from.Workflow)
	if from.Mirror {
		req.Header.Set(HeaderMirror, "1")
	}
	event.ContextTrace(ctx).WriteHeader(req.Header)
	response, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the store does not respond: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	var text bytes.Buffer
	text.Grow(int(min(max(response.ContentLength, 0), maxResponseBytes)) + bytes.MinRead)
	if _, err := text.ReadFrom(io.LimitReader(response.Body, maxResponseBytes)); err != nil {
		return nil, fmt.Errorf("cannot read the store's response: %w", err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		var f Failure
		if json.Unmarshal(text.Bytes(), &f) == nil && f.Error != "" {
			return nil, errors.New(f.Error)
		}
		return nil, fmt.Errorf("the store responded with status %d", response.StatusCode)
	}
	return text.Bytes(), nil
}
