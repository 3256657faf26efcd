package delivery

import (
	"errors"
	"net/http"
	"strings"
)

// HeaderForwarded marks what another replica has forwarded to the reply port. It is forwarded once at most.
const HeaderForwarded = "Krt-Forwarded"

// Dropped is the HTTP status to respond with to an event that is dropped, status unless another replica has forwarded it
// here with a token that is not of this version: the pod that it is for has ended, and this one has its address. The
// replica then keeps what can be kept.
func Dropped(h http.Header, forged bool, status int) int {
	if forged && h.Get(HeaderForwarded) != "" {
		return http.StatusMisdirectedRequest
	}
	return status
}

// Misdirected reports whether an event that was forwarded to a replica has been refused because somebody else has its
// address now: see [Dropped]. Whatever is sent there again is refused, too.
func Misdirected(err error) bool {
	var refused *responseError
	return errors.As(err, &refused) && refused.status == http.StatusMisdirectedRequest
}

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
