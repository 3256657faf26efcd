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
	le, end, before := binary.LittleEndian, tail[at:], tail[:at]
	listEnd := uint64(size) - uint64(len(end))
	count, length, offset := uint64(le.Uint16(end[10:])), uint64(le.Uint32(end[12:])), uint64(le.Uint32(end[16:]))
	if at >= placeBytes && bytes.HasPrefix(before[at-placeBytes:], []byte("PK\x06\x07")) {
		if at < wideBytes+placeBytes {
			return errSeveralLists
		}
		wide, place := before[at-placeBytes-wideBytes:], before[at-placeBytes:]
		listEnd -= wideBytes + placeBytes
		there := bytes.HasPrefix(wide, []byte("PK\x06\x06")) && le.Uint32(place[4:]) == 0 && le.Uint64(place[8:]) == listEnd &&
			le.Uint32(place[16:]) == 1
		refers := count == math.MaxUint16 || offset == math.MaxUint32
		same := count == le.Uint64(wide[32:]) && length == le.Uint64(wide[40:]) && offset == le.Uint64(wide[48:])
		if !there || !refers && !same {
			return errSeveralLists
		}
		length, offset = le.Uint64(wide[40:]), le.Uint64(wide[48:])
	}
	if length > listEnd || offset != listEnd-length {
		return errSeveralLists
	}
	return nil
}
