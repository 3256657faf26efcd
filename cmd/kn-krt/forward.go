//go:build !local

package main

import (
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/util/runtime"
)

// copying begins what client-go says of a forwarded port whose client, which is this program, has closed its
// connection (client-go 0.35, portforward.handleConnection).
const copying = "error copying from "

// Else client-go prints that on standard error, at random, after a response that has arrived.
func init() {
	runtime.ErrorHandlers = withoutEnds(runtime.ErrorHandlers)
}

// withoutEnds returns the handlers for all errors but those.
func withoutEnds(handlers []runtime.ErrorHandler) []runtime.ErrorHandler {
	return []runtime.ErrorHandler{func(ctx context.Context, err error, message string, more ...any) {
		if err != nil && strings.HasPrefix(err.Error(), copying) {
			return
		}
		for _, handle := range handlers {
			handle(ctx, err, message, more...)
		}
	}}
}
