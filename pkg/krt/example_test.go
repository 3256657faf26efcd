package krt_test

import (
	"context"
	"fmt"
	"io/fs"

	"krt.dev/kn-krt/pkg/krt"
)

// A bundle without mistakes is loaded with what runs each of its nodes.
func ExampleLoad() {
	bundle, problems, err := krt.Load(context.Background(), "../../functions/greeter", krt.Options{})
	if err != nil || problems.HasErrors() {
		fmt.Println(err, problems)
		return
	}
	fmt.Println(bundle.Manifest.Version)
	for _, node := range bundle.Manifest.Nodes {
		fmt.Println(node.Name, "runs", bundle.Kind(node), "code at", node.Src)
	}
	for _, method := range bundle.Schema.Methods() {
		fmt.Println("rpc", method.FullName())
	}
	// Output:
	// greeter-v1
	// go-greeter runs Go code at src/go-greeter
	// py-greeter runs Python code at src/py-greeter/main.py
	// rpc greeter.Entrypoint.Greet
	// rpc greeter.Entrypoint.PyGreet
}

// All mistakes of a manifest are reported at once, each with its place.
func ExampleParse() {
	_, problems := krt.Parse("krt.yml", []byte(`version: greeter
description: Greets by name.
entrypoint: {proto: public_input.proto}
nodes:
  - {name: py-greeter, image: "konstellation/kre-py:1.23.1", src: src/main.py, gpus: true}
workflows:
  - {name: greeting, entrypoint: Greet, sequential: [py-greter]}
`))
	for _, problem := range problems {
		fmt.Println(problem)
	}
	// Output:
	// krt.yml:5:12: warning: node "py-greeter": not used in any workflow
	// krt.yml:5:80: warning: node "py-greeter": unknown key "gpus"; did you mean "gpu"?
	// krt.yml:7:54: workflow "greeting": node "py-greter" is not declared; did you mean "py-greeter"?
}

// The files of a bundle are read through its FS, which nothing outside the bundle's folder can be read with.
func ExampleBundle_FS() {
	bundle, _, err := krt.Load(context.Background(), "../../functions/greeter", krt.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	info, err := fs.Stat(bundle.FS(), "public_input.proto")
	fmt.Println(info.Mode().IsRegular(), err)
	_, err = bundle.FS().Open("../price-estimator/krt.yml")
	fmt.Println(err)
	// Output:
	// true <nil>
	// open ../price-estimator/krt.yml: invalid argument
}
