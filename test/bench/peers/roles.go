package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	nats "github.com/nats-io/nats-server/v2/server"
	client "github.com/nats-io/nats.go"
	"google.golang.org/grpc"

	"krt.dev/kn-krt/test/bench/verbatim"
	"krt.dev/kn-krt/test/process"
)

// serve serves handler by net/http as it comes.
func serve(ctx context.Context, handler http.Handler) (string, error) {
	listener, err := process.Listen(ctx)
	if err != nil {
		return "", err
	}
	go func() { panic(http.Serve(listener, handler)) }() //nolint:gosec // a bare server is what is compared
	return listener.Addr().String(), nil
}

// httpNodes is the role of nodes that return what they get, with the header of an event if it
// is one.
func httpNodes(ctx context.Context, settings json.RawMessage, _ *http.ServeMux) (addresses []string, err error) {
	var count int
	if err := json.Unmarshal(settings, &count); err != nil {
		return nil, err
	}
	for range count {
		address, err := serve(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for name, values := range r.Header {
				if strings.HasPrefix(name, "Ce-") {
					w.Header()[name] = values
				}
			}
			answer(w, r, func(body []byte) ([]byte, error) { return body, nil })
		}))
		if err != nil {
			return nil, err
		}
		addresses = append(addresses, address)
	}
	return addresses, nil
}

// answer responds with what turn makes of the body.
func answer(w http.ResponseWriter, r *http.Request, turn func([]byte) ([]byte, error)) {
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	if err == nil {
		body, err = turn(body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/protobuf")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

// httpChain is the role of a program that posts to the nodes at the given URLs in order.
func httpChain(ctx context.Context, settings json.RawMessage, _ *http.ServeMux) ([]string, error) {
	var nodes []string
	if err := json.Unmarshal(settings, &nodes); err != nil {
		return nil, err
	}
	pooled := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true}}
	address, err := serve(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(body []byte) (_ []byte, err error) {
			for _, node := range nodes {
				if body, err = post(r.Context(), pooled, node, body); err != nil {
					break
				}
			}
			return body, err
		})
	}))
	return []string{address}, err
}

func post(ctx context.Context, c *http.Client, url string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/protobuf")
	res, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || res.ContentLength < 0 {
		return nil, fmt.Errorf("a node responded with %s", res.Status)
	}
	got := make([]byte, res.ContentLength)
	_, err = io.ReadFull(res.Body, got)
	return got, err
}

// serveGRPC serves the rpc by turn.
func serveGRPC(ctx context.Context, turn func(context.Context, []byte) ([]byte, error)) ([]string, error) {
	listener, err := process.Listen(ctx)
	if err != nil {
		return nil, err
	}
	s := grpc.NewServer(grpc.ForceServerCodecV2(verbatim.Codec{}))
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "bench.Echo", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{
			MethodName: "Echo",
			Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				var body []byte
				err := decode(&body)
				if err == nil {
					body, err = turn(ctx, body)
				}
				return &body, err
			},
		}},
	}, struct{}{})
	go func() { panic(s.Serve(listener)) }()
	return []string{listener.Addr().String()}, nil
}

// grpcNodes is the role of an instant node that speaks gRPC.
func grpcNodes(ctx context.Context, _ json.RawMessage, _ *http.ServeMux) ([]string, error) {
	return serveGRPC(ctx, func(_ context.Context, body []byte) ([]byte, error) { return body, nil })
}

// grpcChain is the role of a program that calls three nodes by gRPC in order, each by a
// connection of its own.
func grpcChain(ctx context.Context, settings json.RawMessage, _ *http.ServeMux) ([]string, error) {
	var address string
	if err := json.Unmarshal(settings, &address); err != nil {
		return nil, err
	}
	var nodes [steps]call
	for i := range nodes {
		var err error
		if nodes[i], err = callGRPC(address, textMessage()); err != nil {
			return nil, err
		}
	}
	return serveGRPC(ctx, func(ctx context.Context, body []byte) ([]byte, error) {
		for _, node := range nodes {
			if err := node(ctx, 0); err != nil {
				return nil, err
			}
		}
		return body, nil
	})
}

// natsPatience bounds what waits for NATS.
const natsPatience = 10 * time.Second

// natsServer is the role of a server of NATS.
func natsServer(context.Context, json.RawMessage, *http.ServeMux) ([]string, error) {
	s, err := nats.NewServer(&nats.Options{Host: "127.0.0.1", Port: nats.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		return nil, err
	}
	go s.Start()
	if !s.ReadyForConnections(natsPatience) {
		return nil, errors.New("the server of NATS is not ready")
	}
	return []string{s.Addr().String()}, nil
}

// dialNATS connects to the server whose address settings are.
func dialNATS(settings json.RawMessage) (*client.Conn, error) {
	var address string
	if err := json.Unmarshal(settings, &address); err != nil {
		return nil, err
	}
	return client.Connect("nats://"+address, client.Timeout(natsPatience))
}

func natsSubject(i int) string { return "node." + strconv.Itoa(i) }

// natsNodes is the role of instant nodes that are requested by NATS, each with a connection.
func natsNodes(_ context.Context, settings json.RawMessage, _ *http.ServeMux) ([]string, error) {
	for i := range steps {
		conn, err := dialNATS(settings)
		if err == nil {
			_, err = conn.Subscribe(natsSubject(i), func(m *client.Msg) { _ = m.Respond(m.Data) })
		}
		if err == nil {
			err = conn.Flush()
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// natsChain is the role of a program that requests the nodes by NATS in order.
func natsChain(ctx context.Context, settings json.RawMessage, _ *http.ServeMux) ([]string, error) {
	conn, err := dialNATS(settings)
	if err != nil {
		return nil, err
	}
	address, err := serve(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(body []byte) ([]byte, error) {
			for i := range steps {
				m, err := conn.RequestWithContext(r.Context(), natsSubject(i), body)
				if err != nil {
					return nil, err
				}
				body = m.Data
			}
			return body, nil
		})
	}))
	return []string{address}, err
}
