package sourcetest

import (
	"context"
	"errors"
	"io/fs"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// Files returns what is Written.
func (m *Memory) Files(context.Context, source.Ref) (fs.FS, error) {
	if m.Written == nil {
		return nil, &source.RefusedError{Refusal: source.Unavailable, Text: "There are no files."}
	}
	return m.Written, nil
}

// Contract returns the Protos.
func (m *Memory) Contract(context.Context, source.Ref) (*source.Contract, error) {
	if m.Protos == nil {
		return nil, errors.New("the protos are not known")
	}
	return m.Protos, nil
}

// Measurements returns what was Measured.
func (m *Memory) Measurements(context.Context, source.Ref) (source.Measurements, func(), error) {
	if m.Measured == nil {
		return nil, nil, &source.RefusedError{Refusal: source.Unavailable, Text: "There is no store."}
	}
	return m.Measured, func() {}, nil
}
