package postgres

import "bytes"

// texts are documents without the spaces that PostgreSQL has between values, in few blocks of
// memory. The zero value has none.
type texts struct{ block []byte }

const blockBytes = 64 << 10

// compact returns a document as it is kept: JSON, whose only white space outside of strings
// is a space behind each colon and comma.
func (t *texts) compact(document []byte) []byte {
	if cap(t.block)-len(t.block) < len(document) {
		t.block = make([]byte, 0, max(blockBytes, len(document)))
	}
	begin := len(t.block)
	for len(document) > 0 {
		end := bytes.IndexAny(document, "\" ")
		if end < 0 {
			end = len(document)
		}
		t.block = append(t.block, document[:end]...)
		document = document[end:]
		switch {
		case len(document) == 0:
		case document[0] == ' ':
			document = document[1:]
		default:
			n := quoted(document)
			t.block, document = append(t.block, document[:n]...), document[n:]
		}
	}
	return t.block[begin:len(t.block):len(t.block)]
}

// quoted is the length of the string that text begins with.
func quoted(text []byte) int {
	end := bytes.IndexByte(text[1:], '"') + 1
	if end > 0 && bytes.IndexByte(text[1:end], '\\') < 0 {
		return end + 1
	}
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			return i + 1
		case '\\':
			i++ // what it escapes
		}
	}
	return len(text)
}
