package archive_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"krt.dev/kn-krt/pkg/krt/archive"
)

// A packed bundle is a gzip-compressed tar, which Unpack writes into an empty folder.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	var packed bytes.Buffer
	if err := archive.Pack(context.Background(), "../../../functions/greeter", &packed, archive.PackOptions{}); err != nil {
		fmt.Println(err)
		return
	}
	to := filepath.Join(dir, "greeter")
	if err := archive.Unpack(context.Background(), &packed, to, archive.UnpackOptions{}); err != nil {
		fmt.Println(err)
		return
	}
	entries, err := os.ReadDir(to)
	for _, entry := range entries {
		fmt.Println(entry.Name())
	}
	fmt.Println(err)
	// Output:
	// .krtignore
	// README.md
	// krt.yml
	// public_input.proto
	// src
	// <nil>
}

// List has what Pack packs, and what is left out by which rule.
func ExampleList() {
	root, err := os.OpenRoot("../../../functions/greeter")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer root.Close()
	contents, err := archive.List(context.Background(), root, archive.PackOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, left := range contents.Left {
		if filepath.Dir(left.Name) == "." {
			fmt.Println(left.Name, "is left out by", left.Rule)
		}
	}
	// Output:
	// version.yaml is left out by .krtignore:6
}
