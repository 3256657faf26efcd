// Package web is the protocols of the web port: JSON, Connect, gRPC-Web and
// CloudEvents over HTTP, with their bounds, and what a browser may do. What
// becomes of a request is decided in package entrypoint.
package web

import (
	"cmp"
	"encoding/json"
	"math"
	"net/http"
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
)

// WriteFailure responds with s in JSON, under the HTTP status of its code. Of a message's size there are
// two that clients do not repeat, as they repeat the 429 of an overload: see [sizeStatus].
func WriteFailure(w http.ResponseWriter, s *spb.Status) {
	status := cmp.Or(sizeStatus(s), httpStatus(s.GetCode()))
	if after := retryAfter(s); after != "" {
		w.Header().Set(headerRetryAfter, after)
	}
	WriteStatus(w, status, s)
}

const headerRetryAfter = "Retry-After"

// retryAfter is the value of the header Retry-After, in seconds, if the status says after what time to try
// again.
func retryAfter(s *spb.Status) string {
	for _, detail := range s.GetDetails() {
		info := &errdetails.RetryInfo{}
		if detail.MessageIs(info) && detail.UnmarshalTo(info) == nil {
			return strconv.Itoa(int(math.Ceil(info.GetRetryDelay().AsDuration().Seconds())))
		}
	}
	return ""
}

// WriteUnaccepted is [WriteFailure] for the producer of an event that was not accepted: if the
// workflow is unavailable, the producer is asked to send it again.
func WriteUnaccepted(w http.ResponseWriter, s *spb.Status) {
	if code.Code(s.GetCode()) == code.Code_UNAVAILABLE {
		w.Header().Set(headerRetryAfter, "1")
	}
	WriteFailure(w, s)
}

// WriteStatus responds with s in JSON, under the given HTTP status.
func WriteStatus(w http.ResponseWriter, httpStatus int, s *spb.Status) {
	body, err := protojson.Marshal(s)
	if err != nil { // a detail of a type that is not linked in
		body, _ = json.Marshal(map[string]any{"code": s.GetCode(), "message": s.GetMessage()})
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(httpStatus)
	_, _ = w.Write(append(body, '\n'))
}

// httpStatus maps a gRPC code as google.rpc.Code documents it.
func httpStatus(c int32) int {
	switch code.Code(c) {
	case code.Code_OK:
		return http.StatusOK
	case code.Code_CANCELLED:
		return 499
	case code.Code_INVALID_ARGUMENT, code.Code_FAILED_PRECONDITION, code.Code_OUT_OF_RANGE:
		return http.StatusBadRequest
	case code.Code_DEADLINE_EXCEEDED:
		return http.StatusGatewayTimeout
	case code.Code_NOT_FOUND:
		return http.StatusNotFound
	case code.Code_ALREADY_EXISTS, code.Code_ABORTED:
		return http.StatusConflict
	case code.Code_PERMISSION_DENIED:
		return http.StatusForbidden
	case code.Code_UNAUTHENTICATED:
		return http.StatusUnauthorized
	case code.Code_RESOURCE_EXHAUSTED:
		return http.StatusTooManyRequests
	case code.Code_UNIMPLEMENTED:
		return http.StatusNotImplemented
	case code.Code_UNAVAILABLE:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
