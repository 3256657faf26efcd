package handbook

import (
	"context"
	"fmt"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// authors have a contract for each name of a version.
type authors map[string]*source.Contract

func (a authors) Files(context.Context, source.Ref) (fs.FS, error) { return nil, fs.ErrNotExist }

func (a authors) Contract(_ context.Context, ref source.Ref) (*source.Contract, error) {
	return a[ref.Name], nil
}

func contractOf(service string) *source.Contract {
	text := `syntax = "proto3"; message M {} service ` + service + ` { rpc Do(M) returns (M); }`
	return &source.Contract{Entry: "p.proto", Protos: map[string][]byte{"p.proto": []byte(text)}}
}

// A contract is compiled once, until it changes; what is kept is bounded.
func TestContractsAreCompiledOnce(t *testing.T) {
	all, r := authors{"first": contractOf("A")}, &Reader{}
	first, err := r.Protos(t.Context(), all, source.Ref{Name: "first"})
	require.NoError(t, err)
	for i := range 3 * maxCompiled {
		name := fmt.Sprint("v", i)
		all[name] = contractOf(fmt.Sprint("S", i))
		_, err := r.Protos(t.Context(), all, source.Ref{Name: name})
		require.NoError(t, err)
		again, err := r.Protos(t.Context(), all, source.Ref{Name: "first"})
		require.NoError(t, err)
		require.Same(t, first, again, "it is in use")
		require.LessOrEqual(t, len(r.compiled), maxCompiled)
	}
	all["same"] = contractOf("A")
	again, err := r.Protos(t.Context(), all, source.Ref{Name: "same"})
	require.NoError(t, err)
	require.Same(t, first, again)

	all["first"] = contractOf("B")
	changed, err := r.Protos(t.Context(), all, source.Ref{Name: "first"})
	require.NoError(t, err)
	require.NotSame(t, first, changed)
	_, err = changed.Method("B.Do")
	require.NoError(t, err)
}

// What is in one file cannot be taken for a part of another.
func TestDigest(t *testing.T) {
	a := &source.Contract{Entry: "a", Protos: map[string][]byte{"a": []byte("x"), "b": []byte("y")}}
	b := &source.Contract{Entry: "a", Protos: map[string][]byte{"a": []byte(`x"b" 1 y`)}}
	require.NotEqual(t, digestOf(a), digestOf(b))
	b.Protos = map[string][]byte{"a": []byte("x"), "b": []byte("y")}
	require.Equal(t, digestOf(a), digestOf(b))
}
