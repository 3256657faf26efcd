package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

var errNoCertificate = errors.New("no certificate for this name")

// server serves the world. Only its reconciles, one at a time, use the fields.
type server struct {
	client    client.Client
	addresses map[string]string  // of Gateways, and of all Ingresses, by key
	sockets   map[string]*socket // by host:port
	proxy     *proxy
}

// socket is one port of one address.
type socket struct {
	table atomic.Pointer[table]
	http  *http.Server
}

// address gives a Gateway one for as long as this runs.
func (s *server) address(key string) string {
	if s.addresses[key] == "" {
		n := len(s.addresses) + 1
		s.addresses[key] = fmt.Sprintf("127.80.%d.%d", n/250, n%250+1)
	}
	return s.addresses[key]
}

// Reconcile reads everything, serves it, and only then reports it as served.
func (s *server) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	w, err := read(ctx, s.client)
	if err != nil {
		return reconcile.Result{}, err
	}
	ours := map[string]bool{}
	for i := range w.classes {
		ours[w.classes[i].Name] = w.classes[i].Spec.ControllerName == controllerName
	}
	all := map[types.NamespacedName][]*listener{}
	for i := range w.gateways {
		if g := &w.gateways[i]; ours[string(g.Spec.GatewayClassName)] && g.DeletionTimestamp == nil {
			all[client.ObjectKeyFromObject(g)] = w.listeners(g)
		}
	}
	statuses := w.attachAll(all)
	tables := map[string]*table{}
	for key, listeners := range all {
		for _, l := range listeners {
			if l.protocol && (l.Protocol == gatewayv1.HTTPProtocolType || len(l.served.certificates) > 0) {
				place(tables, s.address(key.String()), l.Port, l.served)
			}
		}
	}
	ingresses := w.serveIngresses(tables, s.address("ingresses"))
	err = s.serve(ctx, tables)
	return reconcile.Result{}, errors.Join(err, s.report(ctx, w, ours, all, statuses), s.reportIngresses(ctx, ingresses))
}

// place adds a listener to the table of its port.
func place(tables map[string]*table, address string, port int32, l *served) {
	at := endpoint{address, port}.String()
	if tables[at] == nil {
		tables[at] = &table{}
	}
	l.sortEntries()
	tables[at].listeners = append(tables[at].listeners, l)
}

// serve opens, changes and closes sockets until they are the tables'.
func (s *server) serve(ctx context.Context, tables map[string]*table) (err error) {
	for at, open := range s.sockets {
		if tables[at] == nil {
			err = errors.Join(err, open.http.Close())
			delete(s.sockets, at)
		}
	}
	for at, t := range tables {
		open := s.sockets[at]
		if open == nil {
			listener, failed := (&net.ListenConfig{}).Listen(ctx, "tcp", at)
			if failed != nil {
				err = errors.Join(err, failed)
				continue
			}
			open = s.open(listener, t)
			s.sockets[at] = open
		}
		open.table.Store(t)
	}
	return err
}

// open serves a socket: HTTP/1.1 and HTTP/2, with TLS if its listeners have certificates.
func (s *server) open(listener net.Listener, first *table) *socket {
	open := &socket{}
	open.table.Store(first)
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	open.http = &http.Server{Protocols: &protocols, ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.proxy.serve(open.table.Load(), w, r) }),
	}
	if len(first.listeners[0].certificates) > 0 {
		listener = tls.NewListener(listener, &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
			GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return open.table.Load().tlsConfig(), nil }})
	}
	go func() {
		if err := open.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("cannot serve", "address", listener.Addr().String(), "error", err)
		}
	}()
	return open
}
