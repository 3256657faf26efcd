package image

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"krt.dev/kn-krt/pkg/gobuild"
	"krt.dev/kn-krt/pkg/image/pip"
	"krt.dev/kn-krt/pkg/krt"
)

// Trouble is why a request to a registry failed.
type Trouble int

// Kinds of trouble.
const (
	// TroubleOther is any other unexpected response.
	TroubleOther Trouble = iota
	// TroubleRefused: the credentials are missing, wrong, or not enough.
	TroubleRefused
	// TroubleMissing: the image or the repository does not exist.
	TroubleMissing
	// TroubleUnreachable: no server responds at the address.
	TroubleUnreachable
	// TroubleInsecure: the registry speaks plain HTTP, or its certificate is not trusted.
	TroubleInsecure
)

// DoingReadBase is [RegistryError.Doing] where a base image was read.
const DoingReadBase = "read base image"

// RegistryError is the failure of a request to a registry.
type RegistryError struct {
	// Doing is what failed: "push to" or "read base image".
	Doing string
	// Image is the image or repository, with its registry.
	Image   string
	Trouble Trouble
	// Err is the error of the registry or the network.
	Err error
}

// Error names the place, the cause and the next step.
func (e *RegistryError) Error() string {
	return fmt.Sprintf("cannot %s %q: %s%s", e.Doing, e.Image, short(e.Err), e.advice())
}

// Unwrap returns the error of the registry or the network.
func (e *RegistryError) Unwrap() error { return e.Err }

// Host is the registry's.
func (e *RegistryError) Host() string {
	host, _, _ := strings.Cut(e.Image, "/")
	return host
}

func (e *RegistryError) advice() string {
	switch e.Trouble {
	case TroubleRefused:
		return fmt.Sprintf(": log in with \"docker login %s\" as a user with access, or choose another registry", e.Host())
	case TroubleMissing:
		return ": check the name and tag; a private image is not visible without credentials"
	case TroubleUnreachable:
		return ": check that the registry runs and that the name is right"
	case TroubleInsecure:
		return ": allow plain HTTP for it, or add its certificate to those that this machine trusts"
	}
	return ""
}

// short returns err in one line.
func short(err error) string {
	var response *transport.Error
	if !errors.As(err, &response) {
		var broken *url.Error
		if errors.As(err, &broken) {
			err = broken.Err // without the method and the address
		}
		return err.Error()
	}
	text := http.StatusText(response.StatusCode)
	for _, one := range response.Errors {
		text = fmt.Sprintf("%s: %s", one.Code, one.Message)
	}
	return strings.TrimSuffix(fmt.Sprintf("the registry responded with %d: %s", response.StatusCode, text), ": ")
}

// registryError returns err as a RegistryError. One that is a RegistryError or a PlatformError already, or
// that comes from the end of ctx, stays as it is.
func registryError(ctx context.Context, doing, image string, err error) error {
	var known *RegistryError
	var platform *PlatformError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &known), errors.As(err, &platform):
		return err
	}
	return &RegistryError{Doing: doing, Image: image, Trouble: trouble(err), Err: err}
}

func trouble(err error) Trouble {
	var response *transport.Error
	var dial *net.OpError
	var dns *net.DNSError
	var slow net.Error
	text := err.Error()
	switch {
	case errors.As(err, &response) && (response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden):
		return TroubleRefused
	case errors.As(err, &response) && response.StatusCode == http.StatusNotFound:
		return TroubleMissing
	case response != nil: // by one protocol; that the other was tried too does not matter
		return TroubleOther
	case strings.Contains(text, "server gave HTTP response to HTTPS client"), strings.Contains(text, "x509:"):
		return TroubleInsecure
	case errors.As(err, &dns), errors.As(err, &dial), errors.Is(err, syscall.ECONNREFUSED), errors.As(err, &slow) && slow.Timeout():
		return TroubleUnreachable
	}
	return TroubleOther
}

// PlatformError is returned for a base image that is not available for a platform.
type PlatformError struct {
	// Image is the base image.
	Image string
	// Wanted are the platforms asked for, Have those that the image is there for.
	Wanted, Have []string
}

// Error names the image and the platforms it is available for.
func (e *PlatformError) Error() string {
	return fmt.Sprintf("base image %q is not available for %s: it is available for %s; choose one of these platforms, or another base image",
		e.Image, strings.Join(e.Wanted, ", "), strings.Join(e.Have, ", "))
}

// nodeError adds the node's name, if err does not have it.
func nodeError(ctx context.Context, n krt.Node, err error) error {
	var compile *gobuild.Error
	switch {
	case ctx.Err() != nil && errors.Is(err, context.Cause(ctx)):
		return err
	case errors.As(err, &compile):
		return err
	}
	return fmt.Errorf("cannot make the image of node %q: %w", n.Name, err)
}

// concernsAll reports whether the cause is the registry, the base image or this machine: every other
// node would fail in the same way.
func concernsAll(err error) bool {
	var registry *RegistryError
	var platform *PlatformError
	return errors.As(err, &registry) || errors.As(err, &platform) || errors.Is(err, ErrNoRunner) ||
		errors.Is(err, gobuild.ErrNoGo) || errors.Is(err, pip.ErrNoPip) || errors.Is(err, pip.ErrNoIndex)
}
