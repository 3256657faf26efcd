package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	corev1 "k8s.io/client-go/listers/core/v1"
	discoveryv1 "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/cache"
)

// lossTime is how long a machine may be silent before its connections end: one that is lost closes none. Linux by
// itself tries for a quarter of an hour, in which requests to a pod there would hang.
const lossTime = 5 * time.Second

// tcpUserTimeout is Linux's TCP_USER_TIMEOUT, in milliseconds.
const tcpUserTimeout = 0x12

func limitLoss(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(lossTime.Milliseconds()))
	})
	return errors.Join(err, failed)
}

// serviceLabel is the label by which an EndpointSlice says whose it is.
const serviceLabel = "kubernetes.io/service-name"

// backends connects to the pods of services, as the ingresses do that are made for production, and
// not to a service's address: what is known of a pod's end is known here at once, while a
// connection to the service's address would go on to lead to it.
type backends struct {
	services corev1.ServiceLister
	slices   discoveryv1.EndpointSliceLister
	dialer   net.Dialer

	mu    sync.Mutex
	pools map[string]*pool // by namespace and name of the service
}

// pool has the connections to the pods of a service, until these change.
type pool struct{ http1, http2 *http.Transport }

func newBackends(factory informers.SharedInformerFactory) (*backends, error) {
	b := &backends{
		services: factory.Core().V1().Services().Lister(),
		slices:   factory.Discovery().V1().EndpointSlices().Lister(),
		dialer: net.Dialer{Timeout: lossTime, Control: limitLoss, KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: lossTime, Interval: time.Second, Count: 3,
		}},
		pools: map[string]*pool{},
	}
	_, err := factory.Discovery().V1().EndpointSlices().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: b.changed,
		UpdateFunc: func(before, after any) {
			was, ok := before.(metav1.Object)
			is, also := after.(metav1.Object)
			if !ok || !also || was.GetGeneration() != is.GetGeneration() { // its endpoints, and not what describes it
				b.changed(after)
			}
		},
		DeleteFunc: b.changed,
	})
	return b, err
}

// changed has new requests make new connections to the pods of a slice's service. Those that
// are in use end after their request.
func (b *backends) changed(object any) {
	if unknown, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	slice, ok := object.(metav1.Object)
	if !ok {
		return
	}
	key := slice.GetNamespace() + "/" + slice.GetLabels()[serviceLabel]
	b.mu.Lock()
	former := b.pools[key]
	delete(b.pools, key)
	b.mu.Unlock()
	if former != nil {
		former.http1.CloseIdleConnections()
		former.http2.CloseIdleConnections()
	}
}

// pool is that of a service.
func (b *backends) pool(namespace, name string) *pool {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.pools[namespace+"/"+name]
	if p == nil {
		var h1, h2 http.Protocols
		h1.SetHTTP1(true)
		h2.SetUnencryptedHTTP2(true)
		p = &pool{http1: b.transport(&h1), http2: b.transport(&h2)}
		b.pools[namespace+"/"+name] = p
	}
	return p
}

func (b *backends) transport(protocols *http.Protocols) *http.Transport {
	return &http.Transport{
		Protocols: protocols, DialContext: b.dial,
		IdleConnTimeout: 30 * time.Second, MaxIdleConnsPerHost: 100,
		DisableCompression: true, // who asks for it gets it as it comes
	}
}

// dial connects to a pod of the service that an address names, by chance, and once more to another
// one if it cannot; to the address itself where it has none that are known.
func (b *backends) dial(ctx context.Context, network, address string) (net.Conn, error) {
	pods := b.pods(address)
	if len(pods) == 0 {
		return b.dialer.DialContext(ctx, network, address)
	}
	rand.Shuffle(len(pods), func(i, j int) { pods[i], pods[j] = pods[j], pods[i] })
	var failed error
	for _, pod := range pods[:min(2, len(pods))] {
		conn, err := b.dialer.DialContext(ctx, network, pod)
		if err == nil {
			return conn, nil
		}
		failed = errors.Join(failed, err)
	}
	return nil, failed
}

// pods are the addresses of the pods that are ready to serve NAME.NAMESPACE.svc.cluster.local:PORT.
func (b *backends) pods(address string) (addresses []string) {
	name, namespace, port := splitAddress(address)
	portName, found := b.portName(namespace, name, port)
	slices, err := b.slices.EndpointSlices(namespace).List(labels.SelectorFromSet(labels.Set{serviceLabel: name}))
	if err != nil || !found {
		return nil
	}
	for _, slice := range slices {
		var ready []string
		for _, pod := range slice.Endpoints {
			if c := pod.Conditions.Ready; len(pod.Addresses) > 0 && (c == nil || *c) {
				ready = append(ready, pod.Addresses[0])
			}
		}
		for _, p := range slice.Ports {
			if p.Port == nil || value(p.Name) != portName {
				continue
			}
			for _, pod := range ready {
				addresses = append(addresses, net.JoinHostPort(pod, strconv.Itoa(int(*p.Port))))
			}
		}
	}
	return addresses
}

// splitAddress takes NAME.NAMESPACE.svc.cluster.local:PORT apart; no service has the names of another address.
func splitAddress(address string) (name, namespace, port string) {
	host, port, _ := net.SplitHostPort(address)
	name, host, _ = strings.Cut(host, ".")
	namespace, _, _ = strings.Cut(host, ".")
	return name, namespace, port
}

// portName is the name, which may be empty, of a service's port, by its number or that name.
func (b *backends) portName(namespace, service, port string) (name string, found bool) {
	of, err := b.services.Services(namespace).Get(service)
	if err != nil {
		return "", false
	}
	for _, p := range of.Spec.Ports {
		if p.Name == port || strconv.Itoa(int(p.Port)) == port {
			return p.Name, true
		}
	}
	return "", false
}

func value(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
