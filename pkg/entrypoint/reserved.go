package entrypoint

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// ReservedPath is the beginning of the paths of the web port that no version can use.
const ReservedPath = "/_krt/"

// IsReserved reports whether a path is [ReservedPath], with or without its end, or below it.
func IsReserved(path string) bool { return strings.HasPrefix(path+"/", ReservedPath) }

// reserve serves the reserved paths, if there is a handler for them.
func (e *Entrypoint) reserve(next http.Handler) http.Handler {
	reserved := e.options.Reserved
	if reserved == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !IsReserved(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(e.leaving, cancel)()
		if r.Method == http.MethodGet {
			// net/http goes on reading behind a request to notice that its client has left, and
			// cancels it after the server's ReadTimeout.
			_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
		}
		reserved.ServeHTTP(w, r.WithContext(ctx))
	})
}
