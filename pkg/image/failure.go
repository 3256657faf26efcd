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

// Trouble is why a registry did not do its part.
type Trouble int

// Kinds of trouble.
const (
	// TroubleOther is any other answer than the one that was due.
	TroubleOther Trouble = iota
	// TroubleRefused: the credentials are missing, wrong, or not enough.
	TroubleRefused
	// TroubleMissing: there is no such image, or no such repository.
	TroubleMissing
	// TroubleUnreachable: nothing answers at the address.
	TroubleUnreachable
	// TroubleInsecure: the registry speaks plain HTTP, or its certificate is not trusted.
	TroubleInsecure
)

// DoingReadBase is [RegistryError.Doing] where a base image was read.
const DoingReadBase = "read base image"

// RegistryError says that a registry did not do what an image needs.
type RegistryError struct {
	// Doing is what failed: "push to" or "read base image".
	Doing string
	// Image is the image or repository, with its registry.
	Image   string
	Trouble Trouble
	// Err is what the registry or the network said.
	Err error
}

// Error names the place, the cause, and what mends it.
func (e *RegistryError) Error() string {
	return fmt.Sprintf("cannot %s %q: %s%s", e.Doing, e.Image, said(e.Err), e.advice())
}

// Unwrap returns what the registry or the network said.
func (e *RegistryError) Unwrap() error { return e.Err }

// Host is the registry's.
func (e *RegistryError) Host() string {
	host, _, _ := strings.Cut(e.Image, "/")
	return host
}

func (e *RegistryError) advice() string {
	switch e.Trouble {
	case TroubleRefused:
		return fmt.Sprintf(": log in with \"docker login %s\" as somebody who may, or choose another registry", e.Host())
	case TroubleMissing:
		return ": check the name and tag; a private image is not seen without credentials"
	case TroubleUnreachable:
		return ": check that the registry runs and that the name is right"
	case TroubleInsecure:
		return ": allow plain HTTP for it, or let this machine trust its certificate"
	}
	return ""
}

// said puts what came back into one line.
func said(err error) string {
	var answer *transport.Error
	if !errors.As(err, &answer) {
		var broken *url.Error
		if errors.As(err, &broken) {
			err = broken.Err // without the method and the address
		}
		return err.Error()
	}
	text := http.StatusText(answer.StatusCode)
	for _, one := range answer.Errors {
		text = fmt.Sprintf("%s: %s", one.Code, one.Message)
	}
	return strings.TrimSuffix(fmt.Sprintf("the registry answered %d: %s", answer.StatusCode, text), ": ")
}

// registryError says what a registry did not do. Errors that already say it, or that the
// context ended it, stay as they are.
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
	var answer *transport.Error
	var dial *net.OpError
	var dns *net.DNSError
	var slow net.Error
	text := err.Error()
	switch {
	case errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden):
		return TroubleRefused
	case errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound:
		return TroubleMissing
	case answer != nil: // by one protocol; that the other was tried too does not matter
		return TroubleOther
	case strings.Contains(text, "server gave HTTP response to HTTPS client"), strings.Contains(text, "x509:"):
		return TroubleInsecure
	case errors.As(err, &dns), errors.As(err, &dial), errors.Is(err, syscall.ECONNREFUSED), errors.As(err, &slow) && slow.Timeout():
		return TroubleUnreachable
	}
	return TroubleOther
}

// PlatformError says that a base image is not there for a platform.
type PlatformError struct {
	// Image is the base image.
	Image string
	// Wanted are the platforms asked for, Have those that the image is there for.
	Wanted, Have []string
}

// Error names the image and what can be had.
func (e *PlatformError) Error() string {
	return fmt.Sprintf("base image %q is not there for %s: it is for %s; choose one of them, or another base image",
		e.Image, strings.Join(e.Wanted, ", "), strings.Join(e.Have, ", "))
}

// nodeError says whose image failed, where the error does not.
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

// concernsAll says that what failed has to do with where images go, what they stand on, or
// this machine: the next node would fail alike.
func concernsAll(err error) bool {
	var registry *RegistryError
	var platform *PlatformError
	return errors.As(err, &registry) || errors.As(err, &platform) || errors.Is(err, ErrNoRunner) ||
		errors.Is(err, gobuild.ErrNoGo) || errors.Is(err, pip.ErrNoPip) || errors.Is(err, pip.ErrNoIndex)
}
