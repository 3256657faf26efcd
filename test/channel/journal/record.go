package journal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A record is its length and checksum, four bytes each, then what it does, the id that it does
// it to, eight bytes, and the payload of one that is kept.
const (
	headSize = 8
	idSize   = 9
	// MostBytes is the largest payload of a record.
	MostBytes = 16 << 20
)

// What a record does.
const (
	keep   = 1
	forget = 2
)

var table = crc32.MakeTable(crc32.Castagnoli)

// errTorn is what is left of a record that was being written when the process ended.
var errTorn = errors.New("the record is torn")

// appendRecord appends a record to b.
func appendRecord(b []byte, does byte, id uint64, payload []byte) []byte {
	start := len(b)
	b = append(b, make([]byte, headSize)...)
	b = append(b, does)
	b = binary.BigEndian.AppendUint64(b, id)
	b = append(b, payload...)
	body := b[start+headSize:]
	binary.BigEndian.PutUint32(b[start:], uint32(len(body)))
	binary.BigEndian.PutUint32(b[start+4:], crc32.Checksum(body, table))
	return b
}

// readRecord reads the next record and returns its size, too: io.EOF after the last one, errTorn
// for one that is not whole.
func readRecord(r *bufio.Reader) (does byte, id uint64, payload []byte, size int64, err error) {
	head := make([]byte, headSize)
	if n, err := io.ReadFull(r, head); err != nil {
		if n == 0 && errors.Is(err, io.EOF) {
			return 0, 0, nil, 0, io.EOF
		}
		return 0, 0, nil, 0, torn(err)
	}
	length := binary.BigEndian.Uint32(head)
	if length < idSize || length > idSize+MostBytes {
		return 0, 0, nil, 0, fmt.Errorf("%w: a length of %d bytes", errTorn, length)
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, 0, nil, 0, torn(err)
	}
	if crc32.Checksum(body, table) != binary.BigEndian.Uint32(head[4:]) {
		return 0, 0, nil, 0, fmt.Errorf("%w: another checksum", errTorn)
	}
	if does = body[0]; does != keep && does != forget {
		return 0, 0, nil, 0, fmt.Errorf("%w: it does %d", errTorn, does)
	}
	return does, binary.BigEndian.Uint64(body[1:idSize]), body[idSize:], headSize + int64(length), nil
}

// torn is errTorn for a file that ends too early, and the error of a disk that cannot be read.
func torn(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: %w", errTorn, err)
	}
	return err
}
