package requests

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/legible"
)

// isID reports whether text is a request's id as an entrypoint makes them, which no version is
// called: 16 bytes in hexadecimal.
func isID(text string) bool {
	id, err := hex.DecodeString(text)
	return err == nil && len(id) == 16
}

// leastID is how many characters the beginning of an id must have to be taken for one.
const leastID = 4

// beginsID reports whether text may be the beginning of an id, which a version may be called too.
func beginsID(text string) bool {
	text = strings.TrimSuffix(text, "…")
	return len(text) >= leastID && strings.Trim(text, "0123456789abcdef") == ""
}

// get returns the request whose id is or begins with the given text.
func get(ctx context.Context, from Source, text string) (*inspection.Request, error) {
	text = strings.TrimSuffix(text, "…")
	r, err := from.Get(ctx, text)
	if err == nil || !NotKept(err) || isID(text) {
		return r, err
	}
	found, listErr := idsWith(ctx, from, text)
	switch {
	case listErr != nil || len(found) == 0:
		return nil, err
	case len(found) > 1:
		return nil, term.WithHint(fmt.Errorf("the ids of %d requests begin with %q", len(found), text), "Name more of one:\n  %s",
			strings.Join(found[:min(len(found), defaultLimit)], "\n  "))
	}
	return from.Get(ctx, found[0])
}

// idsWith returns the ids of the kept requests that begin with text, newest first.
func idsWith(ctx context.Context, from Source, text string) (found []string, err error) {
	list, err := from.List(ctx, inspection.Filter{})
	for _, r := range list {
		if id := legible.Line(r.ID, maxName); text != "" && strings.HasPrefix(id, text) && !slices.Contains(found, id) {
			found = append(found, id)
		}
	}
	return found, err
}
