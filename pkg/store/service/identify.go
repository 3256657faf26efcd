package service

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"krt.dev/kn-krt/pkg/credential"
	"krt.dev/kn-krt/pkg/store"
)

// maxName bounds the names of node and workflow, in bytes.
const maxName = 63

// keyring holds the store's keys.
type keyring struct{ *credential.Keyring }

func openKeys(folder string, log *slog.Logger) (*keyring, error) {
	keys, err := credential.OpenKeyring(folder, log)
	return &keyring{keys}, err
}

// holder returns whose credential a request shows. The error is a response.
func (k *keyring) holder(r *http.Request) (credential.Holder, error) {
	text, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !found {
		return credential.Holder{}, &store.Problem{Status: http.StatusUnauthorized,
			Text: "the request has no credential: versions that were started before there was a store must be restarted"}
	}
	h, err := k.Check(text)
	switch {
	case err != nil:
		return h, &store.Problem{Status: http.StatusForbidden, Text: err.Error()}
	case h.Role == credential.Queue:
		return h, &store.Problem{Status: http.StatusForbidden, Text: "the credential is not one for the store"}
	}
	return h, nil
}

// holderKey is the key of the request's holder in its context.
type holderKey struct{}

// errUnidentified is returned for requests that did not pass [api.ServeHTTP]: there are none.
var errUnidentified = errors.New("the request was not identified")

// identify returns who sends a request: runtime and version of its credential, with the
// node and workflow that it names. The header with a version is read from owners only,
// who import what versions of their namespace have saved elsewhere.
func identify(r *http.Request) (store.Origin, error) {
	h, known := r.Context().Value(holderKey{}).(credential.Holder)
	if !known {
		return store.Origin{}, errUnidentified
	}
	from := store.Origin{Runtime: h.Namespace, Origin: store.HeaderOrigin(r), Owner: h.Role == credential.Owner}
	if !from.Owner || from.Version == "" {
		from.Version = h.Version
	}
	if len(from.Version) > maxName || len(from.Node) > maxName || len(from.Workflow) > maxName {
		return store.Origin{}, store.Refuse("the names of version, node and workflow have at most %d bytes", maxName)
	}
	return from, nil
}
