package local

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"krt.dev/kn-krt/pkg/entrypoint"
)

// loopback is the address of the servers that only nodes use.
const loopback = "127.0.0.1"

// Ports are the entrypoint's ports; 0 means any that is free.
type Ports struct {
	// Host is the address of GRPC and Web; "" means 127.0.0.1. Reply is for nodes
	// and always on 127.0.0.1.
	Host             string
	GRPC, Web, Reply int
	// Inspection is the port on 127.0.0.1 at which the last requests can be read; less than 0
	// for none. With InspectionOrFree any free port is used if that one is taken.
	Inspection       int
	InspectionOrFree bool
}

// PortError reports that one of the entrypoint's ports cannot be listened on.
type PortError struct {
	// Port is "grpc", "web", "reply" or "inspect".
	Port string
	// Address is the host:port.
	Address string
	Err     error
}

func (e *PortError) Error() string {
	name := e.Port
	if name == "grpc" {
		name = "gRPC"
	}
	return fmt.Sprintf("cannot listen on %s for the %s port: %v", e.Address, name, e.Err)
}

func (e *PortError) Unwrap() error { return e.Err }

// Reachable is the address at which a server that listens on address, host:port, can be called
// from this machine: 0.0.0.0 is not one.
func Reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = loopback
	}
	return net.JoinHostPort(cmp.Or(host, loopback), port)
}

// listen opens all ports, or none.
func (p Ports) listen() (l entrypoint.Listeners, err error) {
	defer func() {
		if err != nil {
			_ = l.Close()
			l = entrypoint.Listeners{}
		}
	}()
	host := p.Host
	if host == "" {
		host = loopback
	}
	for _, port := range []struct {
		name   string
		host   string
		number int
		to     *net.Listener
	}{
		{"grpc", host, p.GRPC, &l.GRPC},
		{"web", host, p.Web, &l.Web},
		{"reply", loopback, p.Reply, &l.Reply},
	} {
		if *port.to, err = listen(port.name, port.host, port.number); err != nil {
			return l, err
		}
	}
	if p.Inspection < 0 {
		return l, nil
	}
	if l.Inspection, err = listen("inspect", loopback, p.Inspection); err != nil && p.InspectionOrFree {
		l.Inspection, err = listen("inspect", loopback, 0)
	}
	return l, err
}

// listen opens a port; its error is a *PortError.
func listen(name, host string, port int) (net.Listener, error) {
	address := net.JoinHostPort(host, strconv.Itoa(port))
	listener, err := net.Listen("tcp", address)
	if err != nil {
		var syscall *os.SyscallError
		if errors.As(err, &syscall) {
			err = syscall.Err // "address already in use", without the address once more
		}
		return nil, &PortError{Port: name, Address: address, Err: err}
	}
	return listener, nil
}
