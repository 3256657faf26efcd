package docs_test

import (
	"testing"

	"krt.dev/kn-krt/test/docs/shell"
)

// programs is the folder with kn-krt.
var programs string

func TestMain(m *testing.M) {
	shell.Main(func(folder string) int {
		programs = folder
		return m.Run()
	})
}
