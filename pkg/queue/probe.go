package queue

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
)

// maxInfo bounds what a server says of itself, in bytes.
const maxInfo = 64 << 10

// Probe returns why no server at urls, separated by commas, can be used, if none can: it must
// be one of NATS that has JetStream. It shows no credentials.
func Probe(ctx context.Context, urls string) error {
	var all []error
	for one := range strings.SplitSeq(urls, ",") {
		err := probe(ctx, strings.TrimSpace(one))
		if err == nil {
			return nil
		}
		all = append(all, err)
	}
	return errors.Join(all...)
}

func probe(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("the URL %q cannot be read", address)
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "4222")
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", host)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	line, err := bufio.NewReaderSize(io.LimitReader(conn, maxInfo), maxInfo).ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("it does not respond as a server of NATS does: %w", err)
	}
	text, ok := bytes.CutPrefix(line, []byte("INFO "))
	var info struct {
		JetStream bool `json:"jetstream"`
		TLS       bool `json:"tls_required"`
	}
	switch {
	case !ok || json.Unmarshal(text, &info) != nil:
		return errors.New("it does not respond as a server of NATS does")
	case !info.JetStream:
		return errors.New("it is a server of NATS without JetStream, or one that cannot write to its disk")
	case info.TLS && u.Scheme != "tls":
		return errors.New("it requires TLS: the URL must begin with tls://")
	}
	return nil
}
