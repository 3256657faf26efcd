//go:build !linux

package httpclient

import (
	"syscall"
	"time"
)

func setLossTime(uintptr, time.Duration) error { return nil }

// LimitLoss leaves it to the system for how long it sends again what is not acknowledged.
func LimitLoss(time.Duration) func(network, address string, c syscall.RawConn) error { return nil }
