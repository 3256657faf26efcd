// Package data is a client of the store for the owner of a namespace: it lists, exports,
// imports and deletes what versions have saved there. Package runner/store is that of nodes.
package data

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	wire "krt.dev/kn-krt/pkg/runner/store"
)

// Paths of the store's API for owners, below Path: GET lists collections, POST finds documents, or
// counts what a [Deletion] selects, or deletes it.
const (
	Path            = "/v1/data/"
	PathCollections = Path + "collections"
	PathFind        = Path + "find"
	PathCount       = Path + "count"
	PathDelete      = Path + "delete"
)

const (
	pageSize = 1000
	// maxResponse bounds what is read of a response, and maxLine a line that is imported.
	maxResponse, maxLine = 32 << 20, 17 << 20
)

// Kind is a kind of data.
type Kind string

// The kinds.
const (
	Documents    Kind = "documents"
	Predictions  Kind = "predictions"
	Measurements Kind = "measurements"
)

// Collection is a collection of documents, and how many it has.
type Collection struct {
	Name      string `json:"name"`
	Documents int64  `json:"documents"`
}

// Entry is what was saved once: a line of an export, as JSON.
type Entry struct {
	Kind Kind `json:"kind"`
	// Collection is that of a document.
	Collection string `json:"collection,omitempty"`
	// Value is the document, prediction or measurement.
	Value json.RawMessage `json:"value"`
}

// Client is a client of a store.
type Client struct {
	// Address is the store's URL, such as http://127.0.0.1:8080.
	Address string
	// Credential is an owner's; a store on this machine needs none.
	Credential string
	// HTTP sends the requests.
	HTTP *http.Client
}

// Local returns a client of the store that serves on a Unix socket of this machine.
func Local(socket string) *Client {
	return &Client{Address: "http://store", HTTP: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}}
}

// Collections lists the collections of the namespace.
func (c *Client) Collections(ctx context.Context) ([]Collection, error) {
	var list struct{ Collections []Collection }
	if err := c.send(ctx, message{path: PathCollections}, &list); err != nil {
		return nil, fmt.Errorf("cannot list the collections: %w", err)
	}
	return list.Collections, nil
}

// FindRequest requests documents of a collection with any name: "." and ".." cannot be in a path.
type FindRequest struct {
	Collection string `json:"collection"`
	wire.FindRequest
}

// unnamable reports whether a collection has a name that means another path.
func unnamable(collection string) bool { return collection == "." || collection == ".." }

// Find calls emit with each document of a collection that meets the query.
func (c *Client) Find(ctx context.Context, collection string, query map[string]any, emit func(Entry) error) error {
	request := wire.FindRequest{Query: query, Limit: pageSize}
	for {
		m := message{path: wire.PathCollections + url.PathEscape(collection) + "/find", body: request}
		if unnamable(collection) {
			m = message{path: PathFind, body: FindRequest{collection, request}}
		}
		var page wire.Found
		if err := c.send(ctx, m, &page); err != nil {
			return fmt.Errorf("cannot find in the collection %q: %w", collection, err)
		}
		for _, document := range page.Documents {
			if err := emit(Entry{Documents, collection, document}); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		request.Cursor = page.Next
	}
}

// Export calls emit with everything that was saved in the namespace, one kind after the other.
func (c *Client) Export(ctx context.Context, emit func(Entry) error) error {
	collections, err := c.Collections(ctx)
	if err != nil {
		return err
	}
	for _, one := range collections {
		if err := c.Find(ctx, one.Name, map[string]any{}, emit); err != nil {
			return err
		}
	}
	if err := c.list(ctx, Predictions, wire.PathPredictions, url.Values{"mirror": {"true"}}, emit); err != nil {
		return fmt.Errorf("cannot export the predictions: %w", err)
	}
	if err := c.list(ctx, Measurements, wire.PathMeasurements, url.Values{}, emit); err != nil {
		return fmt.Errorf("cannot export the measurements: %w", err)
	}
	return nil
}

// list reads the pages of a list, with parameters of its own. A store that only forwards a kind has none of it.
func (c *Client) list(ctx context.Context, kind Kind, path string, values url.Values, emit func(Entry) error) error {
	values.Set("limit", strconv.Itoa(pageSize))
	for {
		page := map[string]json.RawMessage{}
		err := c.send(ctx, message{path: path + "?" + values.Encode()}, &page)
		var refused *Error
		if errors.As(err, &refused) && refused.Status == http.StatusNotImplemented {
			return nil
		}
		if err != nil {
			return err
		}
		var items []json.RawMessage
		var next string
		if err := errors.Join(json.Unmarshal(page[string(kind)], &items), decode(page["next"], &next)); err != nil {
			return fmt.Errorf("the response is not a list: %w", err)
		}
		for _, item := range items {
			if err := emit(Entry{Kind: kind, Value: item}); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		values.Set("cursor", next)
	}
}

// decode decodes JSON unless there is none.
func decode(text json.RawMessage, to any) error {
	if text == nil {
		return nil
	}
	return json.Unmarshal(text, to)
}

// Do sends a request, to whose URL only the path and the parameters belong, to the store with the
// client's credential: it makes a client of letters of this one, see package letter.
func (c *Client) Do(r *http.Request) (*http.Response, error) {
	base, err := url.Parse(strings.TrimSuffix(c.Address, "/"))
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.Host = base.Scheme, base.Host, ""
	r.URL.Path, r.URL.RawPath = base.Path+r.URL.Path, ""
	if c.Credential != "" {
		r.Header.Set("Authorization", "Bearer "+c.Credential)
	}
	return c.HTTP.Do(r)
}

// Error is a request that the store has refused.
type Error struct {
	// Status is that of the response.
	Status int
	Text   string
}

func (e *Error) Error() string { return e.Text }

// message is what a request has: with a body it is a POST, without one a GET.
type message struct {
	path   string
	body   any
	header http.Header
}

func (m message) request(ctx context.Context, address string) (*http.Request, error) {
	method, content := http.MethodGet, io.Reader(http.NoBody)
	if m.body != nil {
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false) // it would make large documents larger than the store takes
		if err := encoder.Encode(m.body); err != nil {
			return nil, err
		}
		method, content = http.MethodPost, &text
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(address, "/")+m.path, content)
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, m.header)
	return req, nil
}

// send sends a message and decodes the response, unless to is nil.
func (c *Client) send(ctx context.Context, m message, to any) error {
	req, err := m.request(ctx, c.Address)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.Credential)
	response, err := c.HTTP.Do(req)
	if err != nil {
		return fmt.Errorf("the store does not respond: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxResponse))
	if err != nil {
		return fmt.Errorf("cannot read the store's response: %w", err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		var failure wire.Failure
		if json.Unmarshal(text, &failure) != nil || failure.Error == "" {
			failure.Error = fmt.Sprintf("the store responded with status %d", response.StatusCode)
		}
		return &Error{response.StatusCode, failure.Error}
	}
	if to == nil {
		return nil
	}
	return json.Unmarshal(text, to)
}
