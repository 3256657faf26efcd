package canary

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
	"time"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/runner/clip"
)

// maxResult bounds what is read of the response to a query, in bytes.
const maxResult = 1 << 20

// query asks the Prometheus of the settings. Why there is no number has the query as it is sent, but
// with $window: a status must not change with each reading.
func (m *Meter) query(ctx context.Context, task Task, q v1alpha1.QueryLimit, out *Measurement) {
	settings, err := m.Settings()
	if err == nil && settings.PrometheusURL == "" {
		err = errors.New("the cluster has none (setting prometheus-url)")
	}
	var value float64
	if err == nil {
		value, err = ask(ctx, m.client(""), settings.PrometheusURL, resolve(q.Prometheus, task, lasted(task, time.Now())))
	}
	if err != nil {
		text := clip.Text(resolve(q.Prometheus, task, "$window"), maxWhy)
		out.Away[q.Name] = fmt.Sprintf("Prometheus: %s; the query is: %s", why(err), text)
		return
	}
	out.Queries[q.Name] = value
}

// resolve puts in what the placeholders of a query stand for. The names are labels of DNS, so they
// mean nothing in a string or a regular expression of PromQL.
func resolve(query string, task Task, window string) string {
	return strings.NewReplacer("$namespace", task.Namespace, "$published", task.Published, "$canary", task.Canary,
		"$window", window).Replace(query)
}

// lasted is how long the step has lasted, as a duration of PromQL.
func lasted(task Task, now time.Time) string {
	return strconv.Itoa(max(int(now.Sub(task.Since)/time.Second), 1)) + "s"
}

// ask sends a query, whose result must be one number.
func ask(ctx context.Context, client *http.Client, address, query string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, podTime)
	defer cancel()
	at := strings.TrimSuffix(address, "/") + "/api/v1/query"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(url.Values{"query": {query}}.Encode()))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	return result(io.LimitReader(response.Body, maxResult))
}

// result reads the response to a query.
func result(body io.Reader) (float64, error) {
	var r struct {
		Status, Error string
		Data          struct {
			ResultType string
			Result     json.RawMessage
		}
	}
	if err := json.NewDecoder(body).Decode(&r); err != nil {
		return 0, errors.New("the response is not that of a Prometheus")
	}
	if r.Status != "success" {
		return 0, errors.New(clip.Text(r.Error, maxWhy))
	}
	var pair []any
	switch r.Data.ResultType {
	case "scalar":
		if err := json.Unmarshal(r.Data.Result, &pair); err != nil {
			return 0, errors.New("the result is not a number")
		}
	case "vector":
		var samples []struct{ Value []any }
		if err := json.Unmarshal(r.Data.Result, &samples); err != nil || len(samples) != 1 {
			return 0, fmt.Errorf("the result has %d values; it must have one", len(samples))
		}
		pair = samples[0].Value
	}
	return numberOf(pair)
}

// numberOf is the number of a time and a number in a text.
func numberOf(pair []any) (float64, error) {
	if len(pair) == 2 {
		if text, ok := pair[1].(string); ok {
			if value, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(value) && !math.IsInf(value, 0) {
				return value, nil
			}
		}
	}
	return 0, errors.New("the result is not a number")
}
