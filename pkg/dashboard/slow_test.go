package dashboard

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/sourcetest"
)

// What is not read is not held: a hundred readers of a large file share what the source has.
func TestSlowReadersHoldLittle(t *testing.T) {
	const readers, size = 100, 16 << 20
	m := sourcetest.New(example("a-1", source.Ready))
	m.Written = fstest.MapFS{"docs/a.bin": {Data: make([]byte, size)}}
	server := serve(t, m)
	before := heap()
	for range readers {
		client, err := net.Dial("tcp", server.Listener.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = client.Close() })
		fmt.Fprintf(client, "GET /_krt%s/docs/file?name=docs/a.bin HTTP/1.1\r\nHost: a\r\n\r\n", atA)
		response, err := http.ReadResponse(bufio.NewReader(client), nil)
		require.NoError(t, err)
		require.Equal(t, int64(size), response.ContentLength)
	}
	after := heap()
	t.Logf("%d MiB allocated, %d MiB held", (after.TotalAlloc-before.TotalAlloc)>>20, (int64(after.HeapAlloc)-int64(before.HeapAlloc))>>20)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(readers*size/10))
}

func heap() (m runtime.MemStats) {
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m
}
