package pyrunner

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/schema"
	"krt.dev/kn-krt/pkg/schema/gen"
)

// makeModules generates a *_pb2 module for each of the bundle's protos. A node uses it
// if its own module is missing or refused by the installed protobuf. makeModules returns
// their folder, or "" if there are none: most nodes have their own, so a wrong proto
// does not prevent them from starting.
func (n *node) makeModules(ctx context.Context) string {
	folder, err := n.writeModules(ctx, filepath.Join(n.scratch, "pb2"))
	if err != nil {
		n.log.Warn("no *_pb2 modules are generated from the bundle's protos", "error", err)
		return ""
	}
	return folder
}

// compileProtos compiles the bundle's protos: that of the entrypoint, and the others that
// compile.
func compileProtos(ctx context.Context, base string) (*schema.Schema, error) {
	bundle := os.DirFS(base)
	return schema.CompileAll(ctx, bundle, schema.Options{Entry: krt.EntrypointProto(bundle)})
}

func (n *node) writeModules(ctx context.Context, folder string) (string, error) {
	protos, err := compileProtos(ctx, n.config.base)
	if err != nil {
		return "", err
	}
	for _, e := range protos.LeftOut() {
		n.log.Warn("a proto does not compile: no *_pb2 module is generated from it", "file", e.File, "error", e.Error())
	}
	files, err := gen.Python(protos)
	if err != nil || len(files) == 0 {
		return "", err
	}
	for _, file := range files {
		to := filepath.Join(folder, filepath.FromSlash(file.Path))
		if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
			return "", fmt.Errorf("cannot write %s: %w", file.Path, err)
		}
		if err := os.WriteFile(to, file.Content, 0o600); err != nil {
			return "", fmt.Errorf("cannot write %s: %w", file.Path, err)
		}
	}
	return folder, nil
}
