package inspection

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// What is read of an entrypoint's responses at most, in bytes.
const (
	maxList  = 8 << 20
	maxLine  = 256 << 10
	maxFull  = 64 << 20
	maxError = 4 << 10
)

// Client reads the requests that one entrypoint keeps.
type Client struct {
	base *url.URL
	http *http.Client
}

// New returns a client of the inspection port at base, such as "http://127.0.0.1:8082".
// client sends the requests; nil stands for one without a timeout, so that contexts are
// the only bound.
func New(base string, client *http.Client) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%.200q is not the address of an inspection port, such as \"http://127.0.0.1:%d\"", base, Port)
	}
	if client == nil {
		client = &http.Client{}
	}
	return &Client{base: u, http: client}, nil
}

// StatusError is a response that is not a success.
type StatusError struct {
	// Code is the HTTP status: 404 if no request of the id is kept, 400 if a filter is wrong.
	Code int
	// Text is the entrypoint's own sentence.
	Text string
}

// Error implements error.
func (e *StatusError) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("the entrypoint responded with HTTP %d", e.Code)
	}
	return e.Text
}

// List returns the requests that f selects, newest first.
func (c *Client) List(ctx context.Context, f Filter) ([]Request, error) {
	var list List
	if err := c.read(ctx, c.base.JoinPath("requests"), f.query(), maxList, &list); err != nil {
		return nil, fmt.Errorf("cannot list requests: %w", err)
	}
	return list.Requests, nil
}

// Get returns the request of an id with its payloads, as far as they are kept. The error
// is a [StatusError] of 404 if there is none.
func (c *Client) Get(ctx context.Context, id string) (*Request, error) {
	r := &Request{}
	if err := c.read(ctx, c.base.JoinPath("requests", url.PathEscape(id)), nil, maxFull, r); err != nil {
		return nil, fmt.Errorf("cannot get request %.64q: %w", id, err)
	}
	return r, nil
}

// Follow calls each for every request that f selects, as soon as it has its response:
// first the newest Limit that are kept, oldest first, then new ones. Requests that were
// missed are reported by [Line.Lost]. It returns nil when the entrypoint ends, the error of
// each, or that of ctx.
func (c *Client) Follow(ctx context.Context, f Filter, each func(Line) error) error {
	q := f.query()
	q.Set("follow", "1")
	body, err := c.get(ctx, c.base.JoinPath("requests"), q)
	if err != nil {
		return fmt.Errorf("cannot follow requests: %w", err)
	}
	defer body.Close()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 { // the connection is alive
			continue
		}
		var line Line
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return fmt.Errorf("cannot follow requests: a line is not JSON: %w", err)
		}
		if err := each(line); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("cannot follow requests: %w", err)
	}
	return ctx.Err()
}

// Read reads the JSON at a path into to: of what else than requests the port serves.
func (c *Client) Read(ctx context.Context, q url.Values, to any, path ...string) error {
	return c.read(ctx, c.base.JoinPath(path...), q, maxFull, to)
}

// Delete deletes what is at a path, and reads the JSON that is responded with into to.
func (c *Client) Delete(ctx context.Context, q url.Values, to any, path ...string) error {
	at := c.base.JoinPath(path...)
	at.RawQuery = q.Encode()
	body, err := c.send(ctx, http.MethodDelete, at)
	if err != nil {
		return err
	}
	return decode(body, maxFull, to)
}

// Do sends a request of which only whether it is a success is of interest.
func (c *Client) Do(ctx context.Context, method string, path ...string) error {
	body, err := c.send(ctx, method, c.base.JoinPath(path...))
	if err != nil {
		return err
	}
	return body.Close()
}

// read reads one JSON value of at most the given number of bytes.
func (c *Client) read(ctx context.Context, at *url.URL, q url.Values, most int64, to any) error {
	body, err := c.get(ctx, at, q)
	if err != nil {
		return err
	}
	return decode(body, most, to)
}

// decode reads one JSON value of at most the given number of bytes, and closes body.
func decode(body io.ReadCloser, most int64, to any) error {
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, most+1))
	switch {
	case err != nil:
		return err
	case int64(len(data)) > most:
		return fmt.Errorf("the response is larger than %d bytes", most)
	}
	if err := json.Unmarshal(data, to); err != nil {
		return fmt.Errorf("the response is not the JSON of an inspection port: %w", err)
	}
	return nil
}

// get returns the body of a response that is a success.
func (c *Client) get(ctx context.Context, at *url.URL, q url.Values) (io.ReadCloser, error) {
	at.RawQuery = q.Encode()
	return c.send(ctx, http.MethodGet, at)
}

// send sends a request without a body, and returns the body of a response that is a success.
func (c *Client) send(ctx context.Context, method string, at *url.URL) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, method, at.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		var cause *url.Error
		if errors.As(err, &cause) { // its text has the whole address
			err = cause.Err
		}
		return nil, err
	}
	if response.StatusCode/100 == 2 {
		return response.Body, nil
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxError))
	return nil, &StatusError{response.StatusCode, strings.ToValidUTF8(string(bytes.TrimSpace(text)), "")}
}
