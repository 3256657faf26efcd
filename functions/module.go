//go:build ko

// Package functions holds the example versions. This file is never built: it
// keeps the module of the greeter's Go node among the requirements of this one,
// for ko builds packages of modules that are required only.
package functions

import _ "krt.dev/kn-krt/functions/greeter/src/go-greeter/proto"
