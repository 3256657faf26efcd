package dashboard

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/sourcetest"
	"krt.dev/kn-krt/pkg/inspection"
)

// viewer is a source for a user who may read neither Secrets nor requests.
type viewer struct{ *sourcetest.Memory }

func (viewer) Config(context.Context, source.Ref) ([]source.ConfigEntry, error) {
	return nil, &source.RefusedError{Refusal: source.Forbidden, Text: "You may not list secrets.", Next: "ask for it: kubectl apply"}
}

func (viewer) Requests(context.Context, source.Ref, inspection.Filter) ([]inspection.Request, []string, error) {
	return nil, nil, &source.RefusedError{Refusal: source.Forbidden, Text: "You may not create pods/portforward."}
}

func TestPagesSayInsideTheVersionWhatAViewerMayNotRead(t *testing.T) {
	server := serve(t, memory(), func(o *Options) { o.Sources = One(viewer{memory()}) })
	status, page := get(t, server, atA+"/config")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, "You may not list secrets.")
	require.Contains(t, page, "<code>kubectl apply</code>")
	require.Contains(t, page, `aria-label="Pages of a-1"`)
	require.NotContains(t, page, "declares no config")

	_, page = get(t, server, atA+"/requests")
	require.Contains(t, page, "You may not create pods/portforward.")
	require.NotContains(t, page, "No requests yet.")
}
