package guard

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestThisMachine(t *testing.T) {
	served := ThisMachine(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for name, c := range map[string]struct {
		from, host string
		status     int
	}{
		"localhost":             {"127.0.0.1:1", "localhost:8080", 200},
		"its address":           {"127.0.0.1:1", "127.0.0.1:8080", 200},
		"IPv6":                  {"[::1]:1", "[::1]:8080", 200},
		"IPv4 in IPv6":          {"[::ffff:127.0.0.1]:1", "127.0.0.1", 200},
		"a name below it":       {"127.0.0.2:1", "krt.localhost", 200},
		"another machine":       {"192.0.2.7:1", "localhost:8080", 403},
		"another, IPv6":         {"[2001:db8::1]:1", "localhost:8080", 403},
		"no address":            {"@", "localhost:8080", 403},
		"another site's name":   {"127.0.0.1:1", "evil.example", 421},
		"a name that begins so": {"127.0.0.1:1", "localhost.evil.example:80", 421},
		"an address's name":     {"127.0.0.1:1", "127.0.0.1.evil.example", 421},
		"no name":               {"127.0.0.1:1", "", 421},
		"this machine's other":  {"127.0.0.1:1", "192.0.2.7:8080", 421},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/_krt/", nil)
			r.RemoteAddr, r.Host = c.from, c.host
			w := httptest.NewRecorder()
			served.ServeHTTP(w, r)
			require.Equal(t, c.status, w.Code)
			if c.status != 200 {
				require.NotEmpty(t, w.Header().Get("X-Content-Type-Options"))
			}
		})
	}
}
