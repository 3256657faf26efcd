// Package client reaches a version's stream in a NATS server with JetStream: it makes the
// stream and its consumers, publishes and fetches events, and reports what waits.
package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"krt.dev/kn-krt/pkg/queue"
)

// callTime bounds each exchange with the server: one that is restarted is reached again
// within it, and a step must not wait longer for one that is gone. Tests take longer.
var callTime = time.Second

const (
	// dialTime bounds a try to connect.
	dialTime = 2 * time.Second
	// reconnectTime is the longest pause between two tries to connect.
	reconnectTime = time.Second
	// pingTime is after what silence a connection is examined, and twice of it ends one.
	pingTime = 5 * time.Second
	// maxCredential is more than a credential has, in bytes.
	maxCredential = 16 << 10
)

// Options say whose stream a [Client] is for.
type Options struct {
	// Namespace and Version name it. Both are empty for a client that only lists and deletes.
	Namespace, Version string
	// Steps are those of all workflows, each of which gets a consumer.
	Steps []queue.Step
	// Files are credentials in memory, by the names of the files that they would be in, instead
	// of those in the folder of the settings; nil: those in the folder.
	Files map[string][]byte
	// Logger gets when the connection is lost and made again. Default: slog.Default().
	Logger *slog.Logger
}

// Client reaches one version's stream. Its methods may be called from several goroutines.
type Client struct {
	settings queue.Settings
	options  Options
	log      *slog.Logger
	conn     *nats.Conn
	js       jetstream.JetStream
	ensure   sync.Mutex
	// ensured is when the stream and all consumers were last found, guarded by ensure.
	ensured time.Time
	// consumers are those that have been found, by name, of type jetstream.Consumer.
	consumers sync.Map
	// sizes are of type *size, by consumer.
	sizes   sync.Map
	change  sync.Mutex
	changed chan struct{} // closed when the connection is made again
	// made is when the stream was made, as far as that is known since the connection was, guarded by change.
	made time.Time
	// link ends when the connection is lost, guarded by change.
	link   context.Context
	unlink context.CancelCauseFunc
}

// Connect returns a client, which connects in the background and again whenever the
// connection is lost. The error is of the settings alone: a file of the credentials that
// cannot be read, or a URL that is none.
func Connect(s queue.Settings, o Options) (*Client, error) {
	if s.Stream == "" {
		s.Stream = queue.Stream(o.Namespace, o.Version)
	}
	if s.MaxBytes == 0 {
		s.MaxBytes = queue.DefaultMaxBytes
	}
	s.Replicas = max(s.Replicas, 1)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	c := &Client{settings: s, options: o, log: o.Logger.With("queue", redacted(s.URL)), changed: make(chan struct{})}
	c.link, c.unlink = context.WithCancelCause(context.Background())
	credentials, err := credentials(s.Credentials)
	if o.Files != nil {
		credentials, err = inMemory(o.Files)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the credentials for the queue: %w", err)
	}
	c.conn, err = nats.Connect(s.URL, append(c.connection(), credentials...)...)
	if err != nil {
		if malformed := new(url.Error); errors.As(err, &malformed) {
			err = malformed.Err // without the password
		}
		return nil, fmt.Errorf("cannot use the queue %s: %w", redacted(s.URL), err)
	}
	c.js, err = jetstream.New(c.conn, jetstream.WithDefaultTimeout(callTime))
	return c, err
}

// connection returns how a connection is made and kept. Nothing is sent later than it was
// asked for: what cannot be sent at once fails, and is tried again by those who know until when.
func (c *Client) connection() []nats.Option {
	name, inbox := "kn-krt", "_INBOX"
	if c.options.Version != "" {
		name = c.options.Namespace + "/" + c.options.Version
		inbox = queue.Inbox(c.options.Namespace, c.options.Version)
	}
	return []nats.Option{
		nats.Name(name), nats.CustomInboxPrefix(inbox),
		nats.Timeout(dialTime), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(),
		nats.CustomReconnectDelay(func(attempts int) time.Duration {
			longest := min(50*time.Millisecond<<min(attempts, 5), reconnectTime)
			return longest/2 + rand.N(longest/2)
		}),
		nats.ReconnectBufSize(-1), nats.PingInterval(pingTime), nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			c.lost()
			if err != nil {
				c.log.Warn("the connection to the queue is lost", "error", err)
			}
		}),
		nats.ConnectHandler(func(*nats.Conn) { c.connected() }),
		nats.ReconnectHandler(func(*nats.Conn) {
			c.log.Info("connected to the queue again")
			c.connected()
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			c.log.Warn("the queue reports an error", "error", err)
		}),
	}
}

// connected wakes those who wait for the connection, and ends what was asked over the one before.
func (c *Client) connected() {
	c.change.Lock()
	defer c.change.Unlock()
	close(c.changed)
	c.changed, c.made = make(chan struct{}), time.Time{}
}

// lost ends what was asked over the connection: there will be no response.
func (c *Client) lost() {
	c.change.Lock()
	defer c.change.Unlock()
	c.unlink(errLost)
	c.link, c.unlink = context.WithCancelCause(context.Background())
}

// Changed is closed when the connection is made, the next time.
func (c *Client) Changed() <-chan struct{} {
	c.change.Lock()
	defer c.change.Unlock()
	return c.changed
}

// Connected reports whether there is a connection.
func (c *Client) Connected() bool { return c.conn.IsConnected() }

// URL is the queue's address, without credentials, for messages.
func (c *Client) URL() string { return redacted(c.settings.URL) }

// Close closes the connection. What was sent before is sent.
func (c *Client) Close() {
	_ = c.conn.FlushTimeout(callTime)
	c.conn.Close()
}

// errLost is why an exchange has ended that the server may have done its part of, or not.
var errLost = errors.New("the connection to it was lost before it responded")

// call bounds one exchange with the server: by a time, and by the connection.
func (c *Client) call(ctx context.Context) (context.Context, context.CancelFunc) {
	c.change.Lock()
	link := c.link
	c.change.Unlock()
	ctx, lose := context.WithCancelCause(ctx)
	stop := context.AfterFunc(link, func() { lose(context.Cause(link)) })
	ctx, cancel := context.WithTimeout(ctx, callTime)
	return ctx, func() {
		stop()
		cancel()
		lose(nil)
	}
}

// redacted returns urls without users and passwords.
func redacted(urls string) string {
	all := strings.Split(urls, ",")
	for i, u := range all {
		scheme, rest, found := strings.Cut(strings.TrimSpace(u), "://")
		if at := strings.LastIndexByte(rest, '@'); found && at >= 0 {
			rest = rest[at+1:]
		}
		if all[i] = scheme; found {
			all[i] += "://" + rest
		}
	}
	return strings.Join(all, ",")
}

// credentials returns what the files in folder, of which each may be missing, say. They are
// read at each connection, so that one that has been replaced is used.
func credentials(folder string) (options []nats.Option, err error) {
	if folder == "" {
		return nil, nil
	}
	path := func(name string) string { return filepath.Join(folder, name) }
	for _, file := range []struct {
		name   string
		option func() nats.Option
	}{
		{queue.FileCA, func() nats.Option { return nats.RootCAs(path(queue.FileCA)) }},
		{queue.FileCredential, func() nats.Option {
			return nats.TokenHandler(func() string { return text(path(queue.FileCredential)) })
		}},
		{queue.FileNATS, func() nats.Option { return nats.UserCredentials(path(queue.FileNATS)) }},
		{queue.FileUser, func() nats.Option {
			return nats.UserInfoHandler(func() (string, string) { return text(path(queue.FileUser)), text(path(queue.FilePassword)) })
		}},
	} {
		switch _, err := os.Stat(path(file.name)); {
		case err == nil:
			options = append(options, file.option())
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	return options, nil
}

// text is what a file has, without the space around it; empty if it cannot be read.
func text(path string) string {
	data, err := os.ReadFile(path)
	if err != nil || len(data) > maxCredential {
		return ""
	}
	return strings.TrimSpace(string(data))
}
