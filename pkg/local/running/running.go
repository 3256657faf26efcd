// Package running tells commands where the versions that run on this machine can be reached:
// each run writes it into its state folder, and removes it at its end.
package running

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// File is the name of the file with a [Run] below a state folder.
const File = "run/running.json"

const (
	// maxFile bounds the file, in bytes; maxRuns how many are read.
	maxFile = 64 << 10
	maxRuns = 1000
	// alive is how long a run may take to accept a connection.
	alive = time.Second
)

// Run is a version that runs on this machine.
type Run struct {
	Version string `json:"version"`
	// Path is the absolute path of the version's folder, manifest or packed bundle.
	Path string `json:"path"`
	// GRPC, Web and Inspection are the addresses, host:port. Inspection is "" if requests are not
	// kept, and Web if the run is of an older kn-krt.
	GRPC       string `json:"grpc"`
	Web        string `json:"web,omitempty"`
	Inspection string `json:"inspection,omitempty"`
	// Store is the path of the Unix socket on which the run serves what was saved.
	Store string `json:"store,omitempty"`
}

// Write writes r below the state folder dir, which only this user may read.
func Write(dir string, r Run) error {
	data, err := json.Marshal(r)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, filepath.FromSlash(File)), append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot write where the version runs: %w", err)
	}
	return nil
}

// Root is the folder of the state folders that nobody has named: below $XDG_STATE_HOME, else
// ~/.local/state.
func Root() (string, error) {
	root := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(root) { // the XDG specification: a relative one is ignored
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("cannot name the state folder: %w", err)
		}
		root = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(root, "kn-krt"), nil
}

// List returns the versions that run with a state folder below [Root] and accept connections
// at their inspection port or at their store, in the order of version and path; of which a run
// does not, is "". A run that was killed has left its file: it is not returned.
func List(ctx context.Context) ([]Run, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look for versions that run: %w", err)
	}
	var runs []Run
	for _, e := range entries[:min(len(entries), maxRuns)] {
		if r, found := In(ctx, filepath.Join(root, e.Name())); found {
			runs = append(runs, r)
		}
	}
	slices.SortFunc(runs, func(a, b Run) int { return strings.Compare(a.Version+"\n"+a.Path, b.Version+"\n"+b.Path) })
	return runs, nil
}

// In returns the version that runs with the state folder dir, as [List] does.
func In(ctx context.Context, dir string) (r Run, found bool) {
	data, err := untrusted.ReadPath(filepath.Join(dir, filepath.FromSlash(File)), maxFile)
	if err != nil || json.Unmarshal(data, &r) != nil {
		return Run{}, false
	}
	// The inspection port is one of this machine alone.
	host, _, err := net.SplitHostPort(r.Inspection)
	if err != nil || !net.ParseIP(host).IsLoopback() || !accepts(ctx, "tcp", r.Inspection) {
		r.Inspection = ""
	}
	if !filepath.IsAbs(r.Store) || !accepts(ctx, "unix", r.Store) {
		r.Store = ""
	}
	return r, r.Inspection != "" || r.Store != ""
}

// accepts reports whether something accepts connections at an address.
func accepts(ctx context.Context, network, address string) bool {
	connection, err := (&net.Dialer{Timeout: alive}).DialContext(ctx, network, address)
	if err != nil {
		return false
	}
	_ = connection.Close()
	return true
}

// Serves reports whether address, host:port, is one of the run's ports as seen from this machine: gRPC,
// web or inspection.
func (r Run) Serves(address string) bool {
	return r.ServesGRPC(address) || same(r.Web, address) || same(r.Inspection, address)
}

// ServesGRPC reports whether address is the run's gRPC port as seen from this machine.
func (r Run) ServesGRPC(address string) bool { return same(r.GRPC, address) }

// same reports whether address is the listen address own as seen from this machine, which has several loopback
// addresses: another version may listen at the same port of another one.
func same(own, address string) bool {
	host, port, err := net.SplitHostPort(address)
	ownHost, ownPort, ownErr := net.SplitHostPort(own)
	if err != nil || ownErr != nil || port != ownPort {
		return false
	}
	ip, ownIP := net.ParseIP(host), net.ParseIP(ownHost)
	switch {
	case host == ownHost:
		return true
	case ownHost == "" || ownIP.IsUnspecified():
		return host == "localhost" || ip.IsLoopback()
	case host == "localhost":
		return ownIP.Equal(net.IPv4(127, 0, 0, 1)) || ownIP.Equal(net.IPv6loopback)
	}
	return ip != nil && ip.Equal(ownIP)
}
