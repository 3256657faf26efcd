package artifact

import (
	"errors"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// DeniedError is the cause when a registry does not let an artifact be read.
type DeniedError struct {
	// Registry is its host, with the port if that is not the usual one.
	Registry string
	// Anonymous says that there are no credentials for it.
	Anonymous bool
	// Err is the registry's response.
	Err error
}

// Error names the registry.
func (e *DeniedError) Error() string {
	if e.Anonymous {
		return "registry " + e.Registry + " wants credentials, and there are none for it"
	}
	return "registry " + e.Registry + " does not accept the credentials that there are for it"
}

// Unwrap returns the registry's response.
func (e *DeniedError) Unwrap() error { return e.Err }

// denied makes a [DeniedError] of a response that is one, and returns other errors as they are.
func denied(err error, digest name.Digest, keys authn.Keychain) error {
	var response *transport.Error
	if !errors.As(err, &response) || response.StatusCode != http.StatusUnauthorized && response.StatusCode != http.StatusForbidden {
		return err
	}
	known, unknown := keys.Resolve(digest.Context())
	return &DeniedError{
		Registry: digest.Context().RegistryStr(), Anonymous: unknown == nil && known == authn.Anonymous, Err: err,
	}
}
