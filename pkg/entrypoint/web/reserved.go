package web

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

// Reserve serves the reserved paths by a handler, whose requests are cancelled when leaving ends, and
// others by next.
func Reserve(leaving context.Context, reserved, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !IsReserved(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(leaving, cancel)()
		if r.Method == http.MethodGet {
			// net/http goes on reading behind a request to notice that its client has left, and
			// cancels it after the server's ReadTimeout.
			_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
		}
		reserved.ServeHTTP(w, r.WithContext(ctx))
	})
}
