package promptio

import "net"

// listener makes the TCP connections that it accepts prompt.
type listener struct{ net.Listener }

// Listen returns l with prompt connections.
func Listen(l net.Listener) net.Listener { return listener{l} }

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		return NewTCP(tcp)
	}
	return conn, nil
}
