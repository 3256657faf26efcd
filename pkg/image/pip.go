package image

import (
	"context"
	"krt.dev/kn-krt/pkg/krt"
)

func (s *session) requirements(ctx context.Context, n krt.Node, b base, more []string, c *contents) error {
	return nil
}
