package traffic

import (
	"net/http"
	"net/textproto"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"
)

// ofConnection are the headers of one connection, which a proxy does not pass on (RFC 9110, 7.6.1).
var ofConnection = [...]string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// withoutConnection is a copy of h without the headers of its connection.
func withoutConnection(h http.Header) http.Header {
	out := h.Clone()
	for _, line := range h.Values("Connection") {
		for name := range strings.SplitSeq(line, ",") {
			out.Del(textproto.TrimString(name))
		}
	}
	for _, name := range ofConnection {
		out.Del(name)
	}
	return out
}

// requestHeader is the header of a request to the canary. What a browser says of its page has been
// checked here, by the origins of this version.
func requestHeader(h http.Header) http.Header {
	out := withoutConnection(h)
	for _, name := range [...]string{"Origin", "Sec-Fetch-Site", "Content-Length", "Expect", MetadataMirror} {
		out.Del(name)
	}
	if isGRPC(h) {
		out.Set("Te", "trailers")
	}
	if _, sent := out["User-Agent"]; !sent {
		out.Set("User-Agent", "") // net/http would name itself
	}
	out.Set(Metadata, "1")
	return out
}

// responseOf is the header of the canary's response, as the client gets it. What browsers are
// allowed is said by this entrypoint.
func responseOf(h http.Header) http.Header {
	out := withoutConnection(h)
	out.Del(Metadata)
	if lengths := out.Values("Content-Length"); len(lengths) > 1 { // HTTP/2 tells nobody
		out.Del("Content-Length")
	}
	for name := range out {
		if strings.HasPrefix(name, "Access-Control-") {
			delete(out, name)
		}
	}
	return out
}

// writeHeader writes the header of the response to w, next to what is there.
func (r *response) writeHeader(w http.ResponseWriter) {
	to := w.Header()
	for name, values := range r.header {
		if name == "Vary" {
			for _, value := range values {
				if value != "Origin" {
					to.Add(name, value)
				}
			}
			continue
		}
		to[name] = values
	}
	for name := range r.trailer {
		to.Add("Trailer", name)
	}
	w.WriteHeader(r.status)
}

// writeTrailer writes the trailer, behind the body.
func (r *response) writeTrailer(w http.ResponseWriter) {
	for name, values := range r.trailer {
		w.Header()[name] = values
	}
}

// refused is that the canary has done no work for a request.
const refused = "refused"

// streaming is that the canary's response is a stream: it is passed on as it comes, and its result is
// a trailer.
const streaming = "STREAM"

// Mark has the responses to requests that were forwarded say that they were refused, until
// [Begun] says what they are.
func Mark(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(Metadata) != "" {
			w.Header().Set(Metadata, refused)
		}
		next.ServeHTTP(w, r)
	})
}

// Streaming has the response to a request that was forwarded say that it is a stream. Its end is
// [Begun].
func Streaming(w http.ResponseWriter) {
	if h := w.Header(); h.Get(Metadata) != "" {
		h.Set(Metadata, streaming)
	}
}

// Begun has the response to a request that was forwarded say that it was served, with the given
// result. Behind a stream that is said by a trailer, too: the header may have been sent.
func Begun(w http.ResponseWriter, result code.Code) {
	h := w.Header()
	switch h.Get(Metadata) {
	case "":
		return
	case streaming:
		h.Set(http.TrailerPrefix+Metadata, result.String())
	}
	h.Set(Metadata, result.String())
}
