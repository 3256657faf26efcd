package store

// holds reserves the memory for what a body is decoded to.
func (r request) holds(data []byte) error {
	if len(data) < fewBytes {
		return nil
	}
	size := DecodedSize(data)
	if size > maxValues*valueBytes {
		return Refuse("the body has more than %d values", maxValues)
	}
	return r.reserve(size)
}

// reserve reserves memory for the request.
func (r request) reserve(size int64) error {
	if r.hold == nil {
		return nil
	}
	return r.hold(r.Context(), size)
}

const (
	// maxValues limits the values of a body: about as many as a document of MongoDB's can have.
	maxValues = 1_000_000
	// valueBytes is what one value takes in memory beside its text: an interface, a string or
	// a map, and their place in a list.
	valueBytes = 64
	// fewBytes is the size of bodies whose values are not counted.
	fewBytes = 1 << 10
)

// DecodedSize is about how many bytes JSON takes in memory once it is decoded, beside its text:
// a multiple of it if it has many small values.
func DecodedSize(data []byte) int64 {
	n, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			inString = !inString
		case c == '\\':
			i++
		case !inString && (c == ',' || c == '[' || c == '{'):
			n++
		}
	}
	return int64(n) * valueBytes
}
