package requirement

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
)

// Sizes of what ends a zip archive: the end itself with its comment, and before it, in the newer form (zip64),
// a longer end and its place.
const (
	endBytes     = 22
	commentBytes = math.MaxUint16
	wideBytes    = 56
	placeBytes   = 20
)

var errSeveralLists = errors.New("programs may differ in where they find the list of its files: build it again")

// oneList refuses an archive of which not all programs find the same list of files. Go takes the one at the place
// that the end names; Python the one right before the end, and it believes a longer end always, Go only if the
// other refers to it. So the list must be at both places, and both ends must say the same.
func oneList(archive io.ReaderAt, size int64) error {
	tail := make([]byte, min(size, wideBytes+placeBytes+endBytes+commentBytes))
	if _, err := archive.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	at := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	if at < 0 || len(tail)-at < endBytes {
		return errSeveralLists
	}
	le, end := binary.LittleEndian, tail[at:]
	l := list{
		count: uint64(le.Uint16(end[10:])), length: uint64(le.Uint32(end[12:])), offset: uint64(le.Uint32(end[16:])),
		end: uint64(size) - uint64(len(end)),
	}
	if at >= placeBytes && bytes.HasPrefix(tail[at-placeBytes:], []byte("PK\x06\x07")) {
		var same bool
		if l, same = l.wide(tail[:at]); !same {
			return errSeveralLists
		}
	}
	if l.length > l.end || l.offset != l.end-l.length {
		return errSeveralLists
	}
	return nil
}

// list is what an end says of the list of files: how many there are, its length and its offset. end is where what ends
// the archive begins.
type list struct{ count, length, offset, end uint64 }

// wide returns what the longer end says that before ends with, and whether Go and Python take it for the same.
func (l list) wide(before []byte) (list, bool) {
	if len(before) < wideBytes+placeBytes {
		return l, false
	}
	le, place := binary.LittleEndian, before[len(before)-placeBytes:]
	end := before[len(before)-placeBytes-wideBytes:]
	w := list{le.Uint64(end[32:]), le.Uint64(end[40:]), le.Uint64(end[48:]), l.end - wideBytes - placeBytes}
	refers := l.count == math.MaxUint16 || l.offset == math.MaxUint32
	same := l.count == w.count && l.length == w.length && l.offset == w.offset
	return w, isWide(end, place, w.end) && (refers || same)
}

// isWide reports whether wide is a longer end, and place says that it is at offset at of the only disk.
func isWide(wide, place []byte, at uint64) bool {
	le := binary.LittleEndian
	return bytes.HasPrefix(wide, []byte("PK\x06\x06")) &&
		le.Uint32(place[4:]) == 0 && le.Uint64(place[8:]) == at && le.Uint32(place[16:]) == 1
}
