package cluster

import (
	"context"
	"testing/fstest" // its MapFS is the standard library's file system in memory

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/schema"
)

// methodsOf returns the full names of the rpcs that the workflows name, as
// package.Service/Rpc; none if the protos do not compile, which the version's conditions say.
func methodsOf(entrypoint *v1alpha1.Entrypoint, workflows []v1alpha1.Workflow) map[string]string {
	files := fstest.MapFS{}
	for _, f := range entrypoint.Files {
		files[f.Path] = &fstest.MapFile{Data: []byte(f.Content)}
	}
	compiled, err := schema.Compile(context.Background(), files, entrypoint.Proto, schema.Options{})
	if err != nil {
		return nil
	}
	methods := map[string]string{}
	for _, w := range workflows {
		if m, err := compiled.Method(w.Entrypoint); err == nil {
			methods[w.Entrypoint] = schema.MethodName(m)
		}
	}
	return methods
}
