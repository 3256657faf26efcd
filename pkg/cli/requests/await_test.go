package requests

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/inspection"
)

// becoming is a source in which a request changes from one Get to the next.
type becoming struct {
	Source

	states []func() (*inspection.Request, error)
}

// Get implements Source.
func (b *becoming) Get(context.Context, string) (*inspection.Request, error) {
	state := b.states[0]
	if len(b.states) > 1 {
		b.states = b.states[1:]
	}
	return state()
}

func is(r inspection.Request) func() (*inspection.Request, error) {
	return func() (*inspection.Request, error) { return &r, nil }
}

func notKept() (*inspection.Request, error) {
	return nil, &inspection.StatusError{Code: http.StatusNotFound, Text: "not kept"}
}

func TestAwait(t *testing.T) {
	withoutCopy := priced()
	withoutCopy.Steps[1].Output = nil
	replied := priced()
	replied.Early = "reply"
	ended := replied
	ended.Rest = &inspection.Request{Code: "OK", Background: true}
	never := priced()
	never.Inspected, never.Steps[1].Output = false, nil
	none := streaming(0)
	none.Output, none.Steps[1].Output = nil, nil
	lost := errors.New("lost")

	for name, c := range map[string]struct {
		states  []func() (*inspection.Request, error)
		want    *inspection.Request
		working bool
		err     error
		most    time.Duration
	}{
		"at once":         {states: []func() (*inspection.Request, error){is(priced())}, want: new(priced())},
		"not inspected":   {states: []func() (*inspection.Request, error){is(never)}, want: &never},
		"an empty stream": {states: []func() (*inspection.Request, error){is(none)}, want: &none},
		"soon": {
			states: []func() (*inspection.Request, error){notKept, is(withoutCopy), is(priced())}, want: new(priced()), most: time.Second,
		},
		"a copy never comes": {
			states: []func() (*inspection.Request, error){is(withoutCopy)}, want: &withoutCopy, most: settleTime + longestPause,
		},
		"work that ends": {states: []func() (*inspection.Request, error){is(replied), is(ended)}, want: &ended, most: time.Second},
		"work that takes long": {
			states: []func() (*inspection.Request, error){is(replied)}, want: &replied, working: true, most: 4 * time.Second,
		},
		"never kept": {states: []func() (*inspection.Request, error){notKept}, err: lost, most: settleTime + longestPause},
		"lost": {
			states: []func() (*inspection.Request, error){func() (*inspection.Request, error) { return nil, lost }}, err: lost,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				r, working, err := Await(t.Context(), &becoming{states: c.states}, "1", 3*time.Second)
				require.LessOrEqual(t, time.Since(began), c.most)
				if c.err != nil {
					require.Error(t, err)
					return
				}
				require.NoError(t, err)
				require.Equal(t, c.want, r)
				require.Equal(t, c.working, working)
			})
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := Await(ctx, &becoming{states: []func() (*inspection.Request, error){notKept}}, "1", 0)
	require.ErrorIs(t, err, context.Canceled)
}
