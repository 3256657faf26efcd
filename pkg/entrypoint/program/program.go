// Package program runs an entrypoint in a process of its own: it reads its configuration, listens and
// serves until it is stopped.
package program

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"krt.dev/kn-krt/pkg/channel"
	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/authentication"
	"krt.dev/kn-krt/pkg/entrypoint/capture"
	"krt.dev/kn-krt/pkg/entrypoint/cold"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/schema"
)

// Config is the file that configures an entrypoint in a process of its own:
// entrypoint.json in a folder that holds the protos too.
type Config struct {
	Version     string           `json:"version"`
	Namespace   string           `json:"namespace"`
	Description string           `json:"description"`
	Proto       string           `json:"proto"`
	Workflows   []ConfigWorkflow `json:"workflows"`
	// Durations are in Go's form: "30s".
	Timeout         string `json:"timeout,omitempty"`
	Background      string `json:"backgroundTimeout,omitempty"`
	ConnectionAge   string `json:"connectionAge,omitempty"`
	ConnectionGrace string `json:"connectionGrace,omitempty"`
	// StreamTimeout bounds a request of a streaming rpc, StreamIdle the wait for its next message.
	StreamTimeout string `json:"streamTimeout,omitempty"`
	StreamIdle    string `json:"streamIdle,omitempty"`
	// StreamMessages bounds the messages of a stream; 0 means the default.
	StreamMessages int `json:"streamMessages,omitempty"`
	// MaxMessageBytes bounds a message; 0 means the default.
	MaxMessageBytes int `json:"maxMessageBytes,omitempty"`
	// MaxBytes bounds what is held of requests and responses; 0 means the default.
	MaxBytes int64 `json:"maxBytes,omitempty"`
	// WebOrigins may call the web port from browsers.
	WebOrigins []string `json:"webOrigins,omitempty"`
	// KeyFile holds the 32 bytes that seal reply tokens, the same for all
	// replicas. Empty: a random key, for a single replica.
	KeyFile string `json:"keyFile,omitempty"`
	// Store is the URL of the store for automatic measurements; empty: none are saved.
	// Measurements is which: see [measure.Mode]. StoreCredentials is the folder with the
	// version's credentials for it: see [store.Credentials].
	Store            string `json:"store,omitempty"`
	StoreCredentials string `json:"storeCredentials,omitempty"`
	Measurements     string `json:"measurements,omitempty"`
	// Queue asks for durable delivery, and says where the queue is; nil: there is none.
	Queue *queue.Settings `json:"queue,omitempty"`
	// Letters has dead letters kept in the store, and results for the time in Results.
	Letters bool   `json:"letters,omitempty"`
	Results string `json:"results,omitempty"`
	// GRPC, Web and Reply are listen addresses; default :9000, :8080, :8081.
	GRPC  string `json:"grpc,omitempty"`
	Web   string `json:"web,omitempty"`
	Reply string `json:"reply,omitempty"`
	// Inspection is the listen address for the requests that are kept, on a loopback
	// address; default 127.0.0.1:8082.
	Inspection string `json:"inspection,omitempty"`
	// Traffic is the folder with the file that says which requests a canary serves; see package
	// traffic. Empty: none.
	Traffic string `json:"traffic,omitempty"`
	// Cold is the folder with the file that says which nodes have no pod; see package cold. Empty: none.
	Cold string `json:"cold,omitempty"`
	// Inspect says what is kept of the messages of inspected requests; nil: nothing is.
	Inspect *ConfigInspect `json:"inspect,omitempty"`
	// Authentication says which clients may call; empty: all.
	Authentication authentication.Config `json:"authentication,omitzero"`
	// Wake has the URLs of the Knative Services of nodes that may be at zero, by their names. Those of a workflow are
	// woken by its first event; see package warm. Empty: none are.
	Wake map[string]string `json:"wake,omitempty"`
}

// ConfigInspect is what of a [capture.Settings] is in a Config.
type ConfigInspect struct {
	Share        int      `json:"share,omitempty"`
	PayloadBytes int      `json:"payloadBytes,omitempty"`
	Redact       []string `json:"redact,omitempty"`
	// Descriptors is the name of the file, in the same folder, with the descriptors of all
	// the version's messages (see schema.Descriptors); empty: only those of the contract
	// are decoded.
	Descriptors string `json:"descriptors,omitempty"`
}

// ConfigWorkflow is one workflow of a Config.
type ConfigWorkflow struct {
	Name string `json:"name"`
	// Entrypoint is the rpc in any form a manifest may use.
	Entrypoint string `json:"entrypoint"`
	// Address is the Sequence's URL; empty means direct delivery by Steps.
	Address string `json:"address,omitempty"`
	// Channel is the kind of the Sequence's channels, as [channel.Named] reads it; empty means
	// Knative's default. ChannelAsync is its asynchronous mode.
	Channel      string       `json:"channel,omitempty"`
	ChannelAsync bool         `json:"channelAsync,omitempty"`
	Steps        []ConfigStep `json:"steps"`
}

// ConfigStep is one step of a ConfigWorkflow.
type ConfigStep struct {
	Node string `json:"node"`
	URL  string `json:"url,omitempty"`
	// Shortcut is the address of the node's only pod; see [entrypoint.Step].
	Shortcut string `json:"shortcut,omitempty"`
	// Pods is the address of the node's pods, by a name of those that are ready; see [entrypoint.Step].
	Pods string `json:"pods,omitempty"`
	// TimeoutSeconds is after how many seconds Knative ends a call of the node; see [entrypoint.Step].
	TimeoutSeconds int64 `json:"timeoutSeconds,omitempty"`
}

// Main runs an entrypoint from the Config in folder dir until ctx is done. host
// is the address at which other replicas reach this process (its pod's ip);
// empty for a single replica. Each of extensions may change the options for the version;
// the function that it returns is called when there are no more requests.
func Main(ctx context.Context, dir, host string, extensions ...func(entrypoint.Version, *entrypoint.Options) (end func())) error {
	path := filepath.Join(dir, "entrypoint.json")
	c, err := readConfig(path)
	if err != nil {
		return err
	}
	v, err := c.version(ctx, dir)
	if err != nil {
		return fmt.Errorf("cannot use %s: %w", path, err)
	}
	o, err := c.options()
	if err != nil {
		return fmt.Errorf("cannot use %s: %w", path, err)
	}
	unobserve, err := c.observe(&o)
	if err != nil {
		return fmt.Errorf("cannot use %s: %w", path, err)
	}
	defer unobserve()
	sleep, err := c.wake(&o)
	if err != nil {
		return fmt.Errorf("cannot use %s: %w", path, err)
	}
	defer sleep()
	for _, extend := range extensions {
		defer extend(v, &o)()
	}
	l, err := c.listen(ctx)
	if err != nil {
		return err
	}
	if host != "" {
		o.Advertise = net.JoinHostPort(host, fmt.Sprint(l.Reply.Addr().(*net.TCPAddr).Port))
	}
	e, err := entrypoint.New(v, o)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	return e.Serve(ctx, l)
}

func readConfig(path string) (*Config, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the entrypoint's configuration: %w", err)
	}
	defer file.Close()
	c := &Config{GRPC: ":9000", Web: ":8080", Reply: ":8081", Inspection: fmt.Sprintf("127.0.0.1:%d", inspection.Port)}
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(c); err != nil {
		return nil, fmt.Errorf("cannot read the entrypoint's configuration: %s: %w", path, err)
	}
	return c, nil
}

func (c *Config) version(ctx context.Context, dir string) (entrypoint.Version, error) {
	v := entrypoint.Version{Namespace: c.Namespace, Name: c.Version, Description: c.Description}
	err := readDuration("backgroundTimeout", c.Background, &v.BackgroundTimeout)
	if err != nil {
		return v, err
	}
	if err := readDuration("results", c.Results, &v.Results); err != nil {
		return v, err
	}
	if v.Schema, err = schema.Compile(ctx, os.DirFS(dir), c.Proto, schema.Options{}); err != nil {
		return v, err
	}
	if v.Inspect, err = c.inspect(dir); err != nil {
		return v, err
	}
	for _, w := range c.Workflows {
		method, err := v.Schema.Method(w.Entrypoint)
		if err != nil {
			return v, fmt.Errorf("workflow %q: %w", w.Name, err)
		}
		workflow := entrypoint.Workflow{Name: w.Name, Method: method, Address: w.Address}
		if w.Channel != "" {
			workflow.Channel = channel.Named(w.Channel, w.ChannelAsync)
		}
		for _, s := range w.Steps {
			workflow.Steps = append(workflow.Steps, entrypoint.Step(s))
		}
		v.Workflows = append(v.Workflows, workflow)
	}
	return v, nil
}

// inspect returns what is kept of messages.
func (c *Config) inspect(dir string) (*capture.Settings, error) {
	if c.Inspect == nil {
		return nil, nil
	}
	s := &capture.Settings{Share: c.Inspect.Share, PayloadBytes: c.Inspect.PayloadBytes, Redact: c.Inspect.Redact}
	if c.Inspect.Descriptors == "" {
		return s, nil
	}
	data, err := fs.ReadFile(os.DirFS(dir), c.Inspect.Descriptors)
	if err == nil {
		s.Messages, err = schema.ReadDescriptors(data)
	}
	if err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	return s, nil
}

func (c *Config) options() (entrypoint.Options, error) {
	o := entrypoint.Options{
		MaxMessageBytes: c.MaxMessageBytes, MaxBytes: c.MaxBytes, WebOrigins: c.WebOrigins, Traffic: c.Traffic,
		Authentication: c.Authentication, StreamMessages: c.StreamMessages, Durable: c.Queue, Cold: cold.New(c.Cold, slog.Default()),
	}
	for _, d := range []struct {
		name, text string
		to         *time.Duration
	}{
		{"timeout", c.Timeout, &o.Timeout},
		{"streamTimeout", c.StreamTimeout, &o.StreamTimeout},
		{"streamIdle", c.StreamIdle, &o.StreamIdle},
		{"connectionAge", c.ConnectionAge, &o.ConnectionAge},
		{"connectionGrace", c.ConnectionGrace, &o.ConnectionGrace},
	} {
		if err := readDuration(d.name, d.text, d.to); err != nil {
			return o, err
		}
	}
	if c.KeyFile != "" {
		var err error
		if o.Key, err = os.ReadFile(c.KeyFile); err != nil {
			return o, fmt.Errorf("keyFile: %w", err)
		}
	}
	return o, nil
}

// readDuration reads a duration unless text is empty.
func readDuration(name, text string, to *time.Duration) error {
	if text == "" {
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return fmt.Errorf("%s: %q is not a positive duration such as \"30s\"", name, text)
	}
	*to = d
	return nil
}

func (c *Config) listen(ctx context.Context) (l entrypoint.Listeners, err error) {
	for _, p := range []struct {
		address string
		to      *net.Listener
	}{{c.GRPC, &l.GRPC}, {c.Web, &l.Web}, {c.Reply, &l.Reply}, {c.Inspection, &l.Inspection}} {
		if *p.to, err = new(net.ListenConfig).Listen(ctx, "tcp", p.address); err != nil {
			return l, errors.Join(fmt.Errorf("cannot listen: %w", err), l.Close())
		}
	}
	if !l.Inspection.Addr().(*net.TCPAddr).IP.IsLoopback() {
		return l, errors.Join(fmt.Errorf("inspection: %q is not a loopback address, such as 127.0.0.1:%d", c.Inspection, inspection.Port),
			l.Close())
	}
	return l, nil
}
