// Command write makes the web site of the documentation in the folder that its argument names. It runs in the
// repository's root.
package main

import (
	"fmt"
	"os"

	"krt.dev/kn-krt/test/docs/site"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: write FOLDER")
		os.Exit(2)
	}
	if err := site.Write(".", os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
