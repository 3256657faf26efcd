package event

import (
	"math"
	"net/http"
	"strconv"
)

const (
	// MostInspected is the highest [Event.Inspect], in bytes.
	MostInspected = 1 << 20
	// maxSize is the largest size of data that a copy can have been made of, in bytes.
	maxSize = math.MaxInt32
)

// WriteCopy sets the headers of a copy of e on h, as a runner posts it to the path
// /inspect of the reply port, and returns the data to post: not more than e.Inspect bytes.
// If there are more, the attribute krtsize holds their number.
func (e *Event) WriteCopy(h http.Header) (data []byte) {
	e.WriteHeader(h)
	if len(e.Data) <= e.Inspect {
		return e.Data
	}
	h[headerSize] = []string{strconv.Itoa(len(e.Data))}
	return e.Data[:e.Inspect]
}

// ReadCopy reads the attributes of a copy that a runner has posted to /inspect; Data is
// left empty. Size is that of the data of which it was made, 0 if the copy has all of it.
// The errors are those of [ReadHeader].
func ReadCopy(h http.Header) (e *Event, size int, err error) {
	e, err = ReadHeader(h)
	return e, sizeAttribute(h, headerSize, maxSize), err
}

// sizeAttribute returns an attribute that is a number of bytes, 0 if there is none, or it
// is not from 1 to most.
func sizeAttribute(h http.Header, canonical string, most int) int {
	n, ok := number(get(h, canonical))
	if !ok || n > int64(most) {
		return 0
	}
	return int(n)
}
