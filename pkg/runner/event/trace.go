package event

import (
	"encoding/hex"
	"math/rand/v2"
	"strings"
)

// NextSpan returns the W3C traceparent of a child of parent: the same trace, a
// new span. A parent that is absent or malformed begins a new, unsampled trace
// (W3C Trace Context, 3.2).
func NextSpan(parent string) string {
	if !validTraceParent(parent) {
		return "00-" + randomHex(16) + "-" + randomHex(8) + "-00"
	}
	return parent[:36] + randomHex(8) + parent[52:55]
}

// validTraceParent checks version 00's form: 00-<32 hex>-<16 hex>-<2 hex>.
func validTraceParent(s string) bool {
	if len(s) != 55 || s[0] != '0' || s[1] != '0' || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return false
	}
	trace, span := s[3:35], s[36:52]
	return lowerHex(trace) && lowerHex(span) && lowerHex(s[53:]) &&
		strings.Trim(trace, "0") != "" && strings.Trim(span, "0") != ""
}

func lowerHex(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// randomHex returns n random bytes in hex. Trace ids need no secrecy.
func randomHex(n int) string {
	raw := make([]byte, 16)
	for i := 0; i < n; i += 8 {
		v := rand.Uint64()
		for j := range 8 {
			raw[i+j] = byte(v >> (8 * j))
		}
	}
	return hex.EncodeToString(raw[:n])
}
