package pyrunner

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// FuzzFrames reads frames from bytes as hostile as a worker can send them.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{})
	f.Add(appendFrame(nil, frameReady, 0, nil))
	f.Add(appendFrame(nil, frameResult, 1, []byte("\x00\x03\x00a.Bdata")))
	f.Add(appendFrame(nil, frameResult, 1, []byte("\x03\x00\x00")))
	f.Add(appendFrame(nil, frameEarlyReply, 1, []byte("\x03\x00a.Bdata")))
	f.Add(appendFrame(nil, frameSend, 1, []byte("\x03\x00a.Bdata")))
	f.Add(appendFrame(appendFrame(nil, frameError, 2, []byte("\x00text")), frameCancelled, 3, nil))
	f.Add([]byte("\xff\xff\xff\xff\x12\x01\x00\x00\x00"))
	f.Add(appendFrame(nil, frameResult, 1, []byte("\x00\xff\xffa")))
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 1 << 16
		frames := newFrameReader(iotest.OneByteReader(bytes.NewReader(data)), limit)
		read := 0
		for {
			got, err := frames.next()
			if err != nil {
				require.True(t, errors.Is(err, io.EOF) || errors.Is(err, errMalformed), err)
				return
			}
			require.LessOrEqual(t, len(got.payload), limit)
			again := appendFrame(nil, got.kind, got.sequence, got.payload)
			require.Equal(t, data[read:read+len(again)], again)
			read += len(again)
			if m, err := parseMessage(got.payload); err == nil {
				require.NotEmpty(t, m.name)
			}
			if _, m, err := parseResult(got.payload); err == nil && m != nil {
				require.NotEmpty(t, m.name)
			}
		}
	})
}

// stuttering gives one byte at a time, each after a timeout.
type stuttering struct {
	r     io.Reader
	ready bool
}

func (s *stuttering) Read(p []byte) (int, error) {
	if s.ready = !s.ready; s.ready {
		return 0, os.ErrDeadlineExceeded
	}
	return s.r.Read(p[:1])
}

func TestTimeoutsLoseNothing(t *testing.T) {
	var sent []byte
	for i := range uint32(3) {
		sent = appendFrame(sent, frameResult, i, bytes.Repeat([]byte{byte(i)}, int(i)*40_000))
	}
	frames := newFrameReader(&stuttering{r: bytes.NewReader(sent)}, 1<<20)
	for i := range uint32(3) {
		var got frame
		err := os.ErrDeadlineExceeded
		for errors.Is(err, os.ErrDeadlineExceeded) {
			got, err = frames.next()
		}
		require.NoError(t, err)
		require.Equal(t, frame{frameResult, i, bytes.Repeat([]byte{byte(i)}, int(i)*40_000)}, got)
	}
}
