package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"krt.dev/kn-krt/pkg/store"
)

const (
	attempts   = 4                      // of a request
	firstPause = 100 * time.Millisecond // before the second one; then twice as long each
)

// SQL states that mean something for the client. Of others the first two digits are the
// class.
const (
	stateUnique     = "23505"
	stateTooLarge   = "54000" // of a row of an index
	stateRange      = "22003" // a number
	stateZeroByte   = "22P05" // in the text of jsonb
	stateNotText    = "22021" // in other text
	stateReadOnly   = "25006"
	stateNoDatabase = "3D000"
	stateDiskFull   = "53100"
	classAuthorize  = "28"
	classRight      = "42501"
	classResources  = "53"
	classOperator   = "57" // the server ends or begins, or the request was cancelled
	stateCancelled  = "57014"
	classConnection = "08"
	stateDeadlock   = "40P01"
	stateSerialize  = "40001"
)

// failure is err as the client should see it, with the name of the database.
func (s *Store) failure(err error) error {
	var p *store.Problem
	var state *pgconn.PgError
	switch {
	case err == nil || errors.As(err, &p) || errors.Is(err, store.ErrExists) || errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &state):
		return s.ofState(state, err)
	case lost(err):
		return store.Unavailable("%s does not respond: %s", s.name, cause(err))
	}
	return fmt.Errorf("%s: %w", s.name, err)
}

func (s *Store) ofState(state *pgconn.PgError, err error) error {
	switch {
	case state.Code == stateZeroByte || state.Code == stateNotText:
		return store.Refuse("PostgreSQL cannot keep a zero byte in a text")
	case state.Code == stateRange:
		return store.Refuse("a number has more digits than PostgreSQL can keep")
	case state.Code == stateTooLarge:
		return store.Refuse("an _id is longer than PostgreSQL can index: it may have about 2,000 bytes")
	case state.Code == stateReadOnly:
		return store.Unavailable("%s is read-only", s.name)
	case state.Code == stateNoDatabase || strings.HasPrefix(state.Code, classAuthorize) || state.Code == classRight:
		return store.Unavailable("%s refuses: %s", s.name, state.Message)
	case state.Code == stateDiskFull:
		return store.Full("%s has no space left on its disk", s.name)
	case state.Code == stateCancelled:
		return fmt.Errorf("%s: %w", s.name, err)
	case temporary(state.Code):
		return store.Unavailable("%s is not available: %s", s.name, state.Message)
	}
	return fmt.Errorf("%s: %w", s.name, err)
}

func temporary(code string) bool {
	switch code {
	case stateDeadlock, stateSerialize:
		return true
	case stateDiskFull, stateCancelled:
		return false
	}
	return strings.HasPrefix(code, classOperator) || strings.HasPrefix(code, classConnection) || strings.HasPrefix(code, classResources)
}

// refused reports whether a statement has certainly had no effect.
func refused(err error) bool {
	var state *pgconn.PgError
	return errors.As(err, &state) || pgconn.SafeToRetry(err)
}

// lost reports whether there is no connection, or none any more.
func lost(err error) bool {
	var network net.Error
	var connect *pgconn.ConnectError
	return errors.As(err, &network) || errors.As(err, &connect) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err)
}

// cause is why a connection failed, without the user and the database, which the driver's
// text begins with.
func cause(err error) string {
	var network *net.OpError
	if errors.As(err, &network) {
		return network.Error()
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}

// retry calls try until it succeeds, fails for good, or ctx is done; again is true from the
// second time on, when the first may have had an effect.
func (s *Store) retry(ctx context.Context, try func(again bool) error) error {
	pause := firstPause
	for n := 1; ; n++ {
		err := try(n > 1)
		var state *pgconn.PgError
		transient := err != nil && (errors.As(err, &state) && temporary(state.Code) || state == nil && lost(err))
		if !transient || n == attempts || ctx.Err() != nil {
			return s.failure(err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return s.failure(err)
		case <-timer.C:
		}
		s.logger.Warn("a request to the database is tried again", "database", s.name, "error", cause(err))
		pause *= 2
	}
}
