package web

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"

	"krt.dev/kn-krt/pkg/runner/clip"
)

// WriteSource responds with the proto at a path, or the names of all if that is empty.
func WriteSource(w http.ResponseWriter, sources map[string][]byte, path string) {
	source, ok := sources[path]
	names := slices.Sorted(maps.Keys(sources))
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch {
	case ok:
		_, _ = w.Write(source)
	case path == "":
		for _, name := range names {
			_, _ = fmt.Fprintln(w, name)
		}
	default:
		text := fmt.Sprintf("there is no proto %q; the protos are %s", clip.Text(path, 256), strings.Join(names, ", "))
		WriteFailure(w, &spb.Status{Code: int32(code.Code_NOT_FOUND), Message: text})
	}
}

// Beside returns the address of another port of the host that a client has called.
func Beside(called, port string) string {
	host, _, err := net.SplitHostPort(called)
	if err != nil { // without a port
		host = strings.Trim(called, "[]")
	}
	return net.JoinHostPort(host, port)
}

// NotFound responds with what the version has instead of what was asked for: these rpcs, sorted.
func NotFound(w http.ResponseWriter, r *http.Request, version string, rpcs []string) {
	path := clip.Text(r.URL.Path, 256)
	status, refusal := http.StatusNotFound, &spb.Status{Code: int32(code.Code_NOT_FOUND)}
	switch {
	case !slices.Contains(rpcs, r.URL.Path):
		refusal.Message = fmt.Sprintf("version %q has no %s %s; its rpcs are POST %s; GET / shows how to call them",
			version, r.Method, path, strings.Join(rpcs, ", POST "))
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		status, refusal.Code = http.StatusMethodNotAllowed, int32(code.Code_INVALID_ARGUMENT)
		refusal.Message = fmt.Sprintf("%s must be called with POST, not %s", path, r.Method)
	default:
		status, refusal.Code = http.StatusUnsupportedMediaType, int32(code.Code_INVALID_ARGUMENT)
		refusal.Message = fmt.Sprintf("a body of type %q is not supported; send application/json, or a type of Connect, gRPC-Web or gRPC",
			clip.Text(r.Header.Get("Content-Type"), 64))
	}
	RefuseAs(w, r, status, refusal)
}
