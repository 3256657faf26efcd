// Package invocation calls workflows of a running version over gRPC, without its protos: the version
// describes its messages by reflection. The command invoke and the dashboard's page Try use it.
package invocation

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"krt.dev/kn-krt/pkg/entrypoint/authentication"
	"krt.dev/kn-krt/pkg/entrypoint/describe"
	"krt.dev/kn-krt/pkg/schema"
)

// LookupTimeout bounds what comes before a call: connecting to the version and reading its
// messages.
const LookupTimeout = 10 * time.Second

// maxResponseBytes bounds one response. Versions limit messages themselves; this only keeps
// a wrong server from filling the memory.
const maxResponseBytes = 256 << 20

// Connection is a connection to a running version.
type Connection struct {
	conn *grpc.ClientConn

	mu      sync.Mutex
	dialErr error // why the last connection failed
}

// Method is an rpc of a version and the types that its messages need.
type Method struct {
	Desc  protoreflect.MethodDescriptor
	Types *dynamicpb.Types
}

// Path is the method as gRPC names it: /package.Service/Method.
func (m Method) Path() string {
	return "/" + schema.MethodName(m.Desc)
}

// Credentials authenticate the client of a version that requires it. The zero value does not.
type Credentials struct{ Token, APIKey string }

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (c Credentials) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	sent := map[string]string{}
	if c.Token != "" {
		sent[authentication.TokenHeader] = "Bearer " + c.Token
	}
	if c.APIKey != "" {
		sent[authentication.KeyHeader] = c.APIKey
	}
	return sent, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials: the gRPC port of a version has
// no TLS.
func (Credentials) RequireTransportSecurity() bool { return false }

// Dial prepares a connection to address, host:port; the first call opens it. Each call has the
// credentials.
func Dial(address string, by Credentials) (*Connection, error) {
	c := &Connection{}
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithPerRPCCredentials(by),
		grpc.WithContextDialer(c.dial),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxResponseBytes)))
	if err != nil {
		return nil, fmt.Errorf("cannot use address %q: %w", address, err)
	}
	c.conn = conn
	return c, nil
}

// Close ends the connection.
func (c *Connection) Close() error { return c.conn.Close() }

// dial records why it failed, because gRPC returns that only as text.
func (c *Connection) dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dialErr = err
	return conn, err
}

// DialError is why no connection could be opened; nil if one was.
func (c *Connection) DialError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dialErr
}

// Describe reads the version's name and workflows.
func (c *Connection) Describe(ctx context.Context) (describe.Version, error) {
	var response structpb.Struct
	err := c.conn.Invoke(ctx, describe.Path, &emptypb.Empty{}, &response)
	return describe.Read(&response), err
}
