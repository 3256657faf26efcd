package event

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strings"
)

// NextSpan returns the W3C traceparent of a child of parent: the same trace, a
// new span. A parent that is absent or malformed begins a new, unsampled trace
// (W3C Trace Context, 3.2).
func NextSpan(parent string) string {
	b := make([]byte, 0, 55)
	if !validTraceParent(parent) {
		b = appendRandomHex(append(b, "00-"...), 2)
		b = appendRandomHex(append(b, '-'), 1)
		return string(append(b, "-00"...))
	}
	b = appendRandomHex(append(b, parent[:36]...), 1)
	return string(append(b, parent[52:55]...))
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

// appendRandomHex appends words × 8 random bytes in hex to b. Trace ids need no
// secrecy.
func appendRandomHex(b []byte, words int) []byte {
	for range words {
		var raw [8]byte
		binary.NativeEndian.PutUint64(raw[:], rand.Uint64())
		b = hex.AppendEncode(b, raw[:])
	}
	return b
}
