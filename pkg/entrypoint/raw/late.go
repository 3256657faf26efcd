package raw

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/entrypoint/failure"
)

// Late returns err, for which a message could not be received since begin, as what it is if
// the client cancelled the call because it was out of time.
func Late(ctx context.Context, begin time.Time, err error) error {
	if status.Code(err) == codes.Canceled && failure.OutOfTime(ctx, begin) {
		return ErrLate
	}
	return err
}
