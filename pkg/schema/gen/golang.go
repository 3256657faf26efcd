package gen

import (
	"fmt"
	"go/token"
	"path"
	"strings"
	"unicode"

	"google.golang.org/protobuf/cmd/protoc-gen-go/internal_gengo"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"

	"krt.dev/kn-krt/pkg/schema"
)

// GoOptions configure where Go code goes.
type GoOptions struct {
	// ImportPath is the import path of the folder that the files are put into. It is used for
	// protos without an import path in their go_package ("proto", "./proto" or none at all) and
	// may be empty when there are none of these.
	ImportPath string
}

// Go returns what protoc-gen-go makes of the bundle's protos in s: "<path>.pb.go" next to each,
// whatever its import path. Services get no code. An error names a proto whose import path is
// not known.
func Go(s *schema.Schema, o GoOptions) ([]File, error) {
	files := own(s)
	if len(files) == 0 {
		return nil, nil
	}
	request := &pluginpb.CodeGeneratorRequest{Parameter: proto.String("paths=source_relative")}
	packages, err := goPackages(files, o)
	if err != nil {
		return nil, err
	}
	for _, file := range s.Files() {
		described := protodesc.ToFileDescriptorProto(file)
		if goPackage, ok := packages[file.Path()]; ok {
			request.FileToGenerate = append(request.FileToGenerate, file.Path())
			if described.Options == nil {
				described.Options = &descriptorpb.FileOptions{}
			}
			described.Options.GoPackage = &goPackage
		}
		request.ProtoFile = append(request.ProtoFile, described)
	}
	plugin, err := protogen.Options{}.New(request)
	if err != nil {
		return nil, fmt.Errorf("cannot generate Go code: %w", err)
	}
	for _, file := range plugin.Files {
		if file.Generate {
			internal_gengo.GenerateFile(plugin, file)
		}
	}
	response := plugin.Response()
	if response.Error != nil {
		return nil, fmt.Errorf("cannot generate Go code: %s", response.GetError())
	}
	var generated []File
	for _, file := range response.GetFile() {
		generated = append(generated, File{Path: file.GetName(), Content: []byte(file.GetContent())})
	}
	return generated, nil
}

// goPackages returns the complete go_package, "import/path;name", of each file by path.
func goPackages(files []protoreflect.FileDescriptor, o GoOptions) (map[string]string, error) {
	packages := map[string]string{}
	names := map[string]string{} // by import path: one package has one name
	for _, file := range files {
		importPath, name, err := goPackage(file, o)
		if err != nil {
			return nil, err
		}
		if known := names[importPath]; name == "" || known == "" {
			names[importPath] = known + name
		} else if known != name {
			return nil, fmt.Errorf("cannot generate Go code: proto %q: go_package names package %q, other protos of %q name it %q", file.Path(),
				name, importPath, known)
		}
		packages[file.Path()] = importPath
	}
	for file, importPath := range packages {
		name := names[importPath]
		if name == "" {
			name = goName(path.Base(importPath))
		}
		packages[file] = importPath + ";" + name
	}
	return packages, nil
}

// goPackage returns the import path of file's code, and its package's name if go_package has it.
func goPackage(file protoreflect.FileDescriptor, o GoOptions) (importPath, name string, err error) {
	options, _ := file.Options().(*descriptorpb.FileOptions)
	importPath, name, _ = strings.Cut(options.GetGoPackage(), ";")
	first, _, _ := strings.Cut(importPath, "/")
	if strings.Contains(importPath, "/") && !strings.HasPrefix(first, ".") {
		return importPath, name, nil
	}
	// What users write without protoc's paths in mind names the package only. A folder "main" is
	// no wish for a package that nothing could import.
	if base := path.Base(importPath); name == "" && importPath != "" && base != "." && base != ".." && base != "/" && base != "main" {
		name = goName(base)
	}
	if o.ImportPath == "" {
		return "", "", fmt.Errorf("cannot generate Go code: proto %q has no import path: set its option go_package, or give an import path",
			file.Path())
	}
	return path.Join(o.ImportPath, path.Dir(file.Path())), name, nil
}

// goName returns s as the name of a Go package.
func goName(s string) string {
	name := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return '_'
	}, s)
	if token.IsKeyword(name) || name == "" || unicode.IsDigit([]rune(name)[0]) {
		name = "_" + name
	}
	return name
}
