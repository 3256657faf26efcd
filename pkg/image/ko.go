package image

import (
	"context"
	"krt.dev/kn-krt/pkg/krt"
)

func (s *session) makeKo(ctx context.Context, n krt.Node) (made, error) { return made{}, nil }
