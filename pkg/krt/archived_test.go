package krt_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt/archive"
)

// pack returns the .krt file of the folder dir.
func pack(t *testing.T, dir string) []byte {
	t.Helper()
	var packed bytes.Buffer
	require.NoError(t, archive.Pack(t.Context(), dir, &packed, archive.PackOptions{}))
	return packed.Bytes()
}

// names returns what packed holds, in order.
func names(t *testing.T, packed []byte) (list []string) {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	for entries := tar.NewReader(zip); ; {
		header, err := entries.Next()
		if err == io.EOF {
			return list
		}
		require.NoError(t, err)
		list = append(list, header.Name)
	}
}

// file is an entry of an archive to be made.
type file struct{ name, data string }

// krtOf makes a .krt file of entries, which may be what no Pack writes.
func krtOf(entries ...file) []byte {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	w := tar.NewWriter(zip)
	for _, e := range entries {
		if err := w.WriteHeader(&tar.Header{Name: e.name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(e.data))}); err != nil {
			panic(err)
		}
		if _, err := io.WriteString(w, e.data); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	if err := zip.Close(); err != nil {
		panic(err)
	}
	return packed.Bytes()
}
