package delivery

import (
	"net/http"
	"strings"
)

// HeaderForwarded marks what another replica has forwarded to the reply port. It is forwarded once at most.
const HeaderForwarded = "Krt-Forwarded"

// Forwarded is the header of an event that another replica is to have.
func Forwarded(h http.Header) http.Header {
	header := http.Header{HeaderForwarded: {"1"}}
	for name, values := range h {
		if strings.HasPrefix(name, "Ce-") || name == "Content-Type" {
			header[name] = values
		}
	}
	return header
}
