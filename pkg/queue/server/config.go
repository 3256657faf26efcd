// Package server is the queue of durable deliveries as a program of its own, for the versions
// of a cluster: a NATS server with JetStream on one volume, to which each version has access by
// its credential, and only to what is its own; with probes and metrics.
package server

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"krt.dev/kn-krt/pkg/runner/environment"
)

const (
	// headroom is what an event's attributes may have besides its message, in bytes.
	headroom = 1 << 20
	// least is the least room on the disk, in bytes.
	least = 16 << 20
	// DefaultPayload is the largest event, in bytes: the largest usual message, twice, and its attributes.
	DefaultPayload = 2*environment.DefaultMaxMessageBytes + headroom
)

// Config is what a queue is started with. Zero fields mean the defaults, but Keys and Folder
// are required.
type Config struct {
	// Listen and Metrics are the addresses for clients, and of /metrics and the probes; :4222
	// and :9090.
	Listen, Metrics string
	// Keys is the folder with the keys by which credentials are sealed.
	Keys string
	// TLS is the folder with tls.crt and tls.key; connections are plain without the former.
	TLS string
	// Folder is where events are kept, and Bytes how much there may be of all versions
	// together: the streams that the versions have may not be larger, even while they are empty.
	Folder string
	Bytes  int64
	// Payload is the largest event in bytes, its attributes included.
	Payload int
	// Sync is how often what was written is made to last over a loss of power; 0: each event
	// before it is acknowledged.
	Sync time.Duration
	// Connections is how many clients there may be at a time.
	Connections int
}

func (c Config) withDefaults() Config {
	c.Listen, c.Metrics = cmp.Or(c.Listen, ":4222"), cmp.Or(c.Metrics, ":9090")
	c.Bytes, c.Payload = cmp.Or(c.Bytes, 1<<30), cmp.Or(c.Payload, DefaultPayload)
	c.Connections = cmp.Or(c.Connections, 4096)
	return c
}

// parse reads the configuration. Usage is printed to out.
func parse(args []string, out io.Writer) (Config, error) {
	d, c := Config{}.withDefaults(), Config{}
	flags := flag.NewFlagSet("queue", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&c.Listen, "listen", d.Listen, "address for clients")
	flags.StringVar(&c.Metrics, "metrics", d.Metrics, "address of /metrics and of the probes /healthz and /readyz")
	flags.StringVar(&c.Keys, "keys", "", "folder with the keys of credentials (required)")
	flags.StringVar(&c.TLS, "tls", "", "folder with tls.crt and tls.key; plain connections without them")
	flags.StringVar(&c.Folder, "folder", "", "folder for the events (required)")
	flags.Int64Var(&c.Bytes, "bytes", d.Bytes, "room for the events of all versions, in bytes")
	flags.IntVar(&c.Payload, "payload", d.Payload, "largest event with its attributes, in bytes")
	flags.DurationVar(&c.Sync, "sync", 0, "how often events are made to last over a loss of power; 0 for each before it is acknowledged")
	flags.IntVar(&c.Connections, "connections", d.Connections, "largest number of connections")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	if flags.NArg() > 0 {
		return c, fmt.Errorf("%q is not a flag", flags.Arg(0))
	}
	return c, c.check()
}

func (c Config) check() error {
	const largest = 64 << 20
	switch {
	case c.Keys == "":
		return errors.New("-keys is missing: a queue that others can reach must know who they are")
	case c.Folder == "":
		return errors.New("-folder is missing: a queue must keep events somewhere")
	case c.Bytes < least:
		return fmt.Errorf("-bytes: it must be at least %d", least)
	case c.Payload < headroom || c.Payload > largest:
		return fmt.Errorf("-payload: it must be from %d to %d", headroom, largest)
	case c.Sync < 0 || c.Connections < 1:
		return errors.New("-sync and -connections must not be negative")
	}
	return nil
}
