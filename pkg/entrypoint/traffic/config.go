// Package traffic divides the requests to a published version between it and a canary: another
// version, to whose entrypoint some requests are forwarded, or copied.
//
// It knows no Kubernetes: which version gets how much is in a file (see [Config]), which may
// change while requests are served.
package traffic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"

	"krt.dev/kn-krt/pkg/schema/fieldpath"
)

// File is the name of the file with a Config, in the folder that entrypoint.json names.
const File = "traffic.json"

// Config says how requests are divided. The zero value forwards and copies nothing.
type Config struct {
	// Canary is the other version; nil: there is none.
	Canary *Canary `json:"canary,omitempty"`
}

// Canary is a version beside the published one, and what it gets.
type Canary struct {
	// Version is its name.
	Version string `json:"version"`
	// GRPC and Web are the addresses of its ports, host:port.
	GRPC string `json:"grpc"`
	Web  string `json:"web"`
	// Weight is the percentage of requests that are forwarded to it: 0 to 100.
	Weight int `json:"weight,omitempty"`
	// Match forwards requests with one of these, whatever the weight.
	Match []Match `json:"match,omitempty"`
	// Sticky names metadata whose value decides instead of chance; empty: chance decides.
	Sticky string `json:"sticky,omitempty"`
	// Mirror is the percentage of requests of the published version that are copied: 0 to 100.
	Mirror int `json:"mirror,omitempty"`
	// Ignore lists the fields that may differ in the responses to a request and its copy, each by
	// its path of field names. Tolerance is by how much floating-point numbers may differ,
	// relative to the larger: 0.01 is 1 %.
	Ignore    []string `json:"ignore,omitempty"`
	Tolerance float64  `json:"tolerance,omitempty"`
}

// Match is metadata with a value.
type Match struct {
	// Metadata is the name, in lower case.
	Metadata string `json:"metadata"`
	Value    string `json:"value"`
}

// Parse reads a Config. The error says what of it cannot be used.
func Parse(data []byte) (Config, error) {
	var c Config
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return Config{}, fmt.Errorf("cannot read %s: %w", File, err)
	}
	if c.Canary == nil {
		return c, nil
	}
	if err := c.Canary.check(); err != nil {
		return Config{}, fmt.Errorf("cannot use %s: canary %q: %w", File, c.Canary.Version, err)
	}
	return c, nil
}

func (c *Canary) check() error {
	if c.Version == "" {
		return fmt.Errorf("it has no name")
	}
	for _, address := range []string{c.GRPC, c.Web} {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return fmt.Errorf("%q is not host:port", address)
		}
	}
	for name, percent := range map[string]int{"weight": c.Weight, "mirror": c.Mirror} {
		if percent < 0 || percent > 100 {
			return fmt.Errorf("%s is %d; it must be a percentage from 0 to 100", name, percent)
		}
	}
	if _, err := fieldpath.Parse(c.Ignore); err != nil {
		return fmt.Errorf("ignore: %w", err)
	}
	if !(c.Tolerance >= 0 && c.Tolerance <= 1) {
		return fmt.Errorf("tolerance is %v; it must be from 0 to 1", c.Tolerance)
	}
	return nil
}
