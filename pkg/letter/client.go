package letter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Paths of the store's API for letters. A version reaches its own ones, the owner of a namespace those
// of all its versions.
const (
	// Path + kind + "/" + id is one letter: PUT, GET, DELETE. Path + kind are all: GET lists, with
	// version, workflow, limit and before; DELETE deletes, with version and workflow.
	Path = "/v1/letters/"
	// PathCount counts letters by kind, version and workflow: GET, with version.
	PathCount = Path + "count"
)

const (
	// maxResponse bounds what is read of a response: the JSON of the largest letter, and of a page.
	maxResponse = 16 << 20
	// MaxPage is how many letters a page of a list has at most.
	MaxPage = 1000
)

// Doer sends requests to a store, to whose address it adds their paths, with credentials of its own:
// the Client of pkg/runner/store, and that of pkg/data.
type Doer interface {
	Do(r *http.Request) (*http.Response, error)
}

// Client is a client of a store for letters. It is safe for concurrent use if its Doer is.
type Client struct{ store Doer }

// New returns a client of a store.
func New(store Doer) *Client { return &Client{store} }

// Errors of a [Client], for errors.Is.
var (
	// ErrNotFound is the error for a letter that is not there, or not any more.
	ErrNotFound = errors.New("there is no such letter")
	// ErrOld is the error of a store that does not know letters.
	ErrOld = errors.New("the store does not know letters: it is older than this version's entrypoint, or keeps none; " +
		"upgrade the store (config/600-store.yaml)")
)

// Error is a request that the store has refused.
type Error struct {
	// Status is that of the response: 401, 403, 429 and 503 may pass, 507 says that a limit has been reached.
	Status int
	Text   string
}

// Error returns the store's text.
func (e *Error) Error() string { return e.Text }

// Temporary reports whether a request that failed may succeed later as it is: the store is not reached, or takes
// no more for now. A credential that is refused may be accepted, or be replaced, too: its key is being changed.
func Temporary(err error) bool {
	var refused *Error
	switch {
	case err == nil, errors.Is(err, ErrNotFound), errors.Is(err, ErrOld):
		return false
	case errors.As(err, &refused):
		switch refused.Status {
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
			return true
		}
		return refused.Status >= http.StatusInternalServerError
	}
	return true
}

// Put keeps a letter. When it returns nil the letter is committed, in place of one of its kind and ID.
// What producers of events may have written into its CausationID and Event is made text that can be kept.
// The store sets Version to that of the credential, or of HeaderVersion for an owner.
func (c *Client) Put(ctx context.Context, l Letter) error {
	l = l.Legal()
	err := l.Check()
	if err != nil {
		err = &Error{http.StatusBadRequest, err.Error()} // as the store would respond: it is of no use to try again
	} else {
		err = c.send(ctx, request{method: http.MethodPut, path: pathOf(l.Kind, l.ID), version: l.Version, body: l}, nil)
	}
	if err != nil {
		return fmt.Errorf("cannot keep the %s letter %q: %w", l.Kind, l.ID, err)
	}
	return nil
}

// Get reads a letter of a version, with its Data.
func (c *Client) Get(ctx context.Context, k Kind, version, id string) (*Letter, error) {
	l := &Letter{}
	err := check(k, id)
	if err == nil {
		err = c.send(ctx, request{method: http.MethodGet, path: pathOf(k, id), values: ofVersion(version)}, l)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the %s letter %q: %w", k, id, err)
	}
	return l, nil
}

// Delete deletes a letter of a version. One that is not there is ErrNotFound.
func (c *Client) Delete(ctx context.Context, k Kind, version, id string) error {
	err := check(k, id)
	if err == nil {
		err = c.send(ctx, request{method: http.MethodDelete, path: pathOf(k, id), values: ofVersion(version)}, nil)
	}
	if err != nil {
		return fmt.Errorf("cannot delete the %s letter %q: %w", k, id, err)
	}
	return nil
}

func check(k Kind, id string) error { return errors.Join(k.Check(), CheckID(id)) }

// Selection selects letters of a kind. Empty fields select all.
type Selection struct {
	Version, Workflow string
	// Limit is how many letters a page has at most; [MaxPage] if it is zero.
	Limit int
	// Before is where a page begins: the Next of the page before, or empty.
	Before string
}

// Values are the parameters of a list of what is selected.
func (s Selection) Values() url.Values {
	values := ofVersion(s.Version)
	for name, value := range map[string]string{"workflow": s.Workflow, "before": s.Before} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if s.Limit > 0 {
		values.Set("limit", strconv.Itoa(s.Limit))
	}
	return values
}

// Page is a part of a list, newest first.
type Page struct {
	Letters []Letter `json:"letters"`
	// Next is the Before of the next page; empty if there is none.
	Next string `json:"next,omitempty"`
}

// List returns a page of letters without their Data.
func (c *Client) List(ctx context.Context, k Kind, of Selection) (Page, error) {
	var page Page
	err := k.Check()
	if err == nil {
		err = c.send(ctx, request{method: http.MethodGet, path: Path + string(k), values: of.Values()}, &page)
	}
	if err != nil {
		return Page{}, fmt.Errorf("cannot list the %s letters: %w", k, err)
	}
	return page, nil
}

// Deleted is the response to a deletion, which the store ends before it takes too long.
type Deleted struct {
	Deleted int64 `json:"deleted"`
	// Rest says that there are more.
	Rest bool `json:"rest,omitempty"`
}

// DeleteAll deletes the letters that are selected, of which Limit and Before have no effect, and
// returns how many these were, also if it fails.
func (c *Client) DeleteAll(ctx context.Context, k Kind, of Selection) (n int64, err error) {
	of.Limit, of.Before = 0, ""
	for rest := true; rest; {
		var done Deleted
		err := k.Check()
		if err == nil {
			err = c.send(ctx, request{method: http.MethodDelete, path: Path + string(k), values: of.Values()}, &done)
		}
		if err != nil {
			return n, fmt.Errorf("cannot delete the %s letters: %w", k, err)
		}
		n, rest = n+done.Deleted, done.Rest
	}
	return n, nil
}

// Count counts the letters of a version, or of all if that is empty, by kind, version and workflow.
func (c *Client) Count(ctx context.Context, version string) ([]Count, error) {
	var list struct{ Counts []Count }
	if err := c.send(ctx, request{method: http.MethodGet, path: PathCount, values: ofVersion(version)}, &list); err != nil {
		return nil, fmt.Errorf("cannot count the letters: %w", err)
	}
	return list.Counts, nil
}

// pathOf is the path of a letter; the parts of its id stay parts.
func pathOf(k Kind, id string) string {
	return Path + string(k) + "/" + strings.ReplaceAll(url.PathEscape(id), "%2F", "/")
}

func ofVersion(version string) url.Values {
	values := url.Values{}
	if version != "" {
		values.Set("version", version)
	}
	return values
}

// headerVersion is the version for which an owner puts a letter.
const headerVersion = "Krt-Version"

// request is one to the store.
type request struct {
	method, path string
	values       url.Values
	version      string
	body         any
}

func (r request) http(ctx context.Context) (*http.Request, error) {
	target, body := r.path, io.Reader(http.NoBody)
	if len(r.values) > 0 {
		target += "?" + r.values.Encode()
	}
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, err
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.version != "" {
		req.Header.Set(headerVersion, r.version)
	}
	return req, nil
}

// send sends a request and decodes the response, unless to is nil.
func (c *Client) send(ctx context.Context, r request, to any) error {
	req, err := r.http(ctx)
	if err != nil {
		return err
	}
	response, err := c.store.Do(req)
	if err != nil {
		return fmt.Errorf("the store does not respond: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxResponse))
	if err != nil {
		return fmt.Errorf("cannot read the store's response: %w", err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return failure(response.StatusCode, text)
	}
	if to == nil {
		return nil
	}
	if err := json.Unmarshal(text, to); err != nil {
		return fmt.Errorf("cannot read the store's response: %w", err)
	}
	return nil
}

// failure is the error of a response. A store that knows letters refuses in JSON.
func failure(status int, text []byte) error {
	var said struct{ Error string }
	known := json.Unmarshal(text, &said) == nil && said.Error != ""
	switch {
	case !known && (status == http.StatusNotFound || status == http.StatusMethodNotAllowed), status == http.StatusNotImplemented:
		return ErrOld
	case status == http.StatusNotFound:
		return ErrNotFound
	case !known:
		said.Error = fmt.Sprintf("the store responded with status %d", status)
	}
	return &Error{status, said.Error}
}
