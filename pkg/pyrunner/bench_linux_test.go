package pyrunner_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/pyrunner"
)

// BenchmarkPythonRunner compares a node that echoes with a bare net/http server
// and with Python's own. CPU is that of this process, which is client and front,
// and of all Python processes: compare cpu-us/op.
func BenchmarkPythonRunner(b *testing.B) {
	payload := strings.Repeat("x", 1024)
	b.Run("bare-net-http", func(b *testing.B) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(b, err)
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body := make([]byte, r.ContentLength)
			_, _ = io.ReadFull(r.Body, body)
			for _, name := range echoed {
				w.Header()[name] = r.Header[name]
			}
			_, _ = w.Write(body)
		}), ReadHeaderTimeout: time.Minute}
		go func() { _ = server.Serve(listener) }()
		b.Cleanup(func() { _ = server.Close() })
		measure(b, "http://"+listener.Addr().String(), payload)
	})
	for name, code := range map[string]string{
		"sync":  "def handler(ctx, data):\n    m = StringValue()\n    data.Unpack(m)\n    return m",
		"async": "async def handler(ctx, data):\n    m = StringValue()\n    data.Unpack(m)\n    return m",
	} {
		b.Run(name, func(b *testing.B) {
			n := startWith(b, "def init(ctx): print('pid', os.getpid())\n"+code, nil, pyrunner.Options{})
			measure(b, n.url, payload)
		})
	}
	b.Run("python-http-server", func(b *testing.B) {
		python, err := findPython()
		if err != nil {
			b.Skip(err)
		}
		cmd := exec.Command(python, "-c", stdlibServer)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		require.NoError(b, err)
		require.NoError(b, cmd.Start())
		b.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
		address := make([]byte, 64)
		n, err := out.Read(address)
		require.NoError(b, err)
		measure(b, strings.TrimSpace(string(address[:n])), payload)
	})
}

// echoed are the headers of an event that the bare server sends back.
var echoed = []string{"Ce-Specversion", "Ce-Id", "Ce-Source", "Ce-Type", "Ce-Dataschema", "Ce-Correlationid", "Ce-Krtworkflow",
	"Content-Type"}

const stdlibServer = `
from http.server import BaseHTTPRequestHandler, HTTPServer
class H(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *a): pass
s = HTTPServer(("127.0.0.1", 0), H)
print("http://127.0.0.1:%d" % s.server_port, flush=True)
s.serve_forever()
`

func measure(b *testing.B, url, payload string) {
	in := request(payload)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4, DisableCompression: true}}
	defer client.CloseIdleConnections()
	once := func() {
		req, _ := http.NewRequestWithContext(context.Background(), http.MethodPost, url, bytes.NewReader(in.Data))
		in.WriteHeader(req.Header)
		res, err := client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		if n, _ := io.Copy(io.Discard, res.Body); res.StatusCode != http.StatusOK || n != int64(len(in.Data)) {
			b.Fatal(res.Status, n)
		}
		_ = res.Body.Close()
	}
	for range 200 {
		once()
	}
	b.ResetTimer()
	before, own := cpu(b), ownCPU(b)
	for b.Loop() {
		once()
	}
	used, here := cpu(b)-before, ownCPU(b)-own
	b.ReportMetric(float64(used.Microseconds())/float64(b.N), "cpu-us/op")
	b.ReportMetric(float64((used-here).Microseconds())/float64(b.N), "python-us/op")
}

// cpu returns the CPU time of this process and of all below it.
func cpu(b *testing.B) time.Duration {
	total := ownCPU(b)
	for _, pid := range descendants(os.Getpid()) {
		total += processCPU(pid)
	}
	return total
}

func ownCPU(b *testing.B) time.Duration {
	var self syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &self))
	return time.Duration(self.Utime.Nano() + self.Stime.Nano())
}
