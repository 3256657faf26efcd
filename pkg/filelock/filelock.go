// Package filelock locks open files, so that one process uses what they stand for.
package filelock

import "errors"

// ErrTaken is returned for a file that is locked already.
var ErrTaken = errors.New("it is locked already")
