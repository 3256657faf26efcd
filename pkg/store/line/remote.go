package line

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
	"time"
)

const (
	requestTimeout   = 10 * time.Second
	maxResponseBytes = 1 << 20
	maxRetryAfter    = time.Minute
)

// remote is a server that takes the line protocol.
type remote struct {
	name     string // host:port, for errors and logs
	base     string // without user and password
	query    url.Values
	user     *url.Userinfo
	database string // of all runtimes; empty means one for each
	http     *http.Client
}

// parse reads the URL of a backend. Its errors do not have the password.
func parse(raw string) (*remote, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("the URL is malformed") // the parser's error has all of it
	}
	scheme, ok := strings.CutPrefix(u.Scheme, "influx+")
	if !ok || scheme != "http" && scheme != "https" || u.Host == "" {
		return nil, errors.New("the URL is not of the form influx+http://host:port/?db=name")
	}
	r := &remote{name: u.Host, user: u.User, database: u.Query().Get("db"), query: url.Values{"precision": {"ns"}}}
	for key, values := range u.Query() {
		switch key {
		case "db":
		case "rp":
			r.query[key] = values
		default:
			return nil, fmt.Errorf("the URL's parameter %q is unknown: supported are db and rp", key)
		}
	}
	r.base = (&url.URL{Scheme: scheme, Host: u.Host, Path: strings.TrimSuffix(u.Path, "/")}).String()
	r.http = &http.Client{Timeout: requestTimeout, Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: requestTimeout,
	}}
	return r, nil
}

// write sends a batch. An error means that there was no response.
func (r *remote) write(ctx context.Context, database string, b *batch) (outcome, time.Duration, error) {
	query := url.Values{"db": {database}}
	for key, values := range r.query {
		query[key] = values
	}
	status, header, body, err := r.post(ctx, "/write?"+query.Encode(), "text/plain; charset=utf-8", b.lines)
	if err != nil {
		return outcome{}, 0, err
	}
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		return outcome{}, 0, fmt.Errorf("%s does not accept the user or the password (status %d): %s", r.name, status, reasonOf(status, body))
	}
	seconds, _ := strconv.Atoi(header.Get("Retry-After"))
	wait := min(time.Duration(max(seconds, 0))*time.Second, maxRetryAfter)
	return judge(status, body, b), wait, nil
}

// create makes a database, as the chart of the original did.
func (r *remote) create(ctx context.Context, database string) error {
	name := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(database) + `"`
	form := url.Values{"q": {"CREATE DATABASE " + name}}
	status, _, body, err := r.post(ctx, "/query", "application/x-www-form-urlencoded", []byte(form.Encode()))
	if err != nil {
		return err
	}
	var response struct {
		Results []struct{ Error string }
	}
	_ = json.Unmarshal(body, &response)
	for _, result := range response.Results {
		if result.Error != "" {
			return fmt.Errorf("%s has no database %q, and it cannot be made: %s", r.name, database, result.Error)
		}
	}
	if status >= http.StatusMultipleChoices {
		return fmt.Errorf("%s has no database %q, and it cannot be made: %s", r.name, database, reasonOf(status, body))
	}
	return nil
}

func (r *remote) post(ctx context.Context, path, mediaType string, body []byte) (int, http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	req.Header.Set("Content-Type", mediaType)
	r.authorize(req)
	res, err := r.http.Do(req)
	if err != nil {
		return 0, nil, nil, fmt.Errorf("%s does not respond: %w", r.name, err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxResponseBytes))
	if err != nil {
		return 0, nil, nil, fmt.Errorf("%s: its response cannot be read: %w", r.name, err)
	}
	return res.StatusCode, res.Header, text, nil
}

// authorize adds user and password, or, where there is only a password, the token of
// InfluxDB 2 and 3.
func (r *remote) authorize(req *http.Request) {
	password, ok := r.user.Password()
	switch {
	case !ok:
	case r.user.Username() == "":
		req.Header.Set("Authorization", "Token "+password)
	default:
		req.SetBasicAuth(r.user.Username(), password)
	}
}
