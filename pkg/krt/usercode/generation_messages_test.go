package usercode_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt/usercode"
)

// A node of messages is never taken for one of dicts: each of its calls would fail.
func TestProofOfMessages(t *testing.T) {
	const custom, messages, dicts = "registry.example.com/team/our-runner", "konstellation/kre-py:1.23.1", "konstellation/kre-py:1.22.0"
	for name, c := range map[string]struct {
		code, helper, image string
		dicts               bool
		why                 string
	}{
		"its type is asked in": {code: "def handler(ctx, data):\n    if \"Req\" not in data.type_url:\n        return None\n    r = Req()\n   " +
			" r.ParseFromString(data.value)\n    return r\n",
			image: messages, why: "src/n/main.py:2 uses type_url of a message"},
		"its value": {code: "def handler(ctx, data):\n    r = parse(data.value)\n    return {}\n", image: custom,
			why: "src/n/main.py:2 uses data.value, which a dict does not have"},
		"Is": {code: "def handler(ctx, data):\n    if data.Is(R.DESCRIPTOR):\n        return {}\n", image: dicts,
			why: "uses Is of a message"},
		"a helper parses": {code: "import helper\ndef handler(ctx, x):\n    return {}\n",
			helper: "def get(any):\n    return R.FromString(any.value)\n", image: custom, why: "src/n/helper.py:2 uses FromString of a message"},
		"a helper packs": {code: "import helper\ndef handler(ctx, x):\n    return {}\n",
			helper: "def put(m):\n    a = Any()\n    a.Pack(m)\n", image: custom, why: "helper.py:3 uses Pack"},
		"proof beats a dict's": {code: "def handler(ctx, data):\n    a = data['a']\n    return a, data.value\n", image: dicts,
			why: "data.value"},
		"a tag beats weak ones": {code: "def handler(ctx, data):\n    if 'a' in data:\n        return run(**data)\n", image: messages,
			why: "its image is"},
		"and so does protobuf": {code: "from a_pb2 import R\ndef handler(ctx, data):\n    for x in data:\n        use(x)\n    return R()\n",
			image: custom, why: "uses a_pb2"},
		"a name of several values": {code: "def handler(ctx, data):\n    out = {}\n    fill(out, data)\n    out = R(**out)\n    return out\n",
			image: messages,
			why:   "its image is"},
		"a nested function returns it": {code: "def handler(ctx, data):\n    def key(x):\n        return {}\n\n        return {}\n    async " +
			"def more(): return {}\n    return R(key(data))\n",
			image: messages, why: "its image is"},
		"text in a formatted string": {code: "def handler(ctx, data):\n    log(f'''\n    return {x}\n    in data\n    {{in data}} " +
			"{y:>{width}}''')\n    return R()\n", image: messages, why: "its image is"},
		"another object's": {code: "def handler(ctx, data):\n    return R(self.data['a'], x.data.get(1))\n", image: messages,
			why: "its image is"},
		"rest of the arguments": {code: "def handler(ctx, *args):\n    return R(args[0])\n", image: messages, why: "its image is"},

		"a loop's data": {code: "def handler(ctx, data):\n    for data in xs:\n        use(data.value)\n    return {}\n", image: messages,
			dicts: true, why: "src/n/main.py:4 returns a dict"},
		"a model that is a message": {code: "def init(ctx):\n    graph.ParseFromString(f.read())\ndef handler(ctx, data):\n    return " +
			"run(data['a'])\n", image: custom,
			dicts: true, why: "src/n/main.py:4 uses data as a dict"},
		"keywords": {code: "def handler(ctx, data):\n    return run(data=data, x=data['a'])\n", image: messages,
			dicts: true, why: "uses data as a dict"},
		"in a formatted string": {code: "def handler(ctx, data):\n    return f'{{ {data[\"a\"]} '\n", image: messages, dicts: true,
			why: "uses data as a dict"},
	} {
		t.Run(name, func(t *testing.T) {
			bundle := fstest.MapFS{"src/n/main.py": {Data: []byte(c.code)}, "src/n/helper.py": {Data: []byte(c.helper)}}
			g := usercode.PythonGeneration(bundle, "src/n/main.py", c.image)
			require.Equal(t, c.dicts, g.Dicts, g.Why)
			require.Contains(t, g.Why, c.why)
		})
	}
}

// counted counts what is asked for and read.
type counted struct {
	fstest.MapFS
	opened, bytes int
}

// Open opens a file.
func (c *counted) Open(name string) (fs.File, error) {
	c.opened++
	file, err := c.MapFS.Open(name)
	if err != nil {
		return nil, err
	}
	return countedFile{file, c}, nil
}

type countedFile struct {
	fs.File
	in *counted
}

// Read reads.
func (f countedFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	f.in.bytes += n
	return n, err
}

func TestLookingForTheGenerationIsBounded(t *testing.T) {
	var names, lines, modules strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&names, "m%d, ", i)
		fmt.Fprintf(&lines, "    a%d = {}\n", i)
	}
	bundle := &counted{MapFS: fstest.MapFS{}}
	for i := range 60 {
		fmt.Fprintf(&modules, "import x%d\n", i)
		bundle.MapFS[fmt.Sprintf("src/x%d.py", i)] = &fstest.MapFile{Data: []byte("a = 1\n" + strings.Repeat("#", 1<<19))}
	}
	for name, code := range map[string]string{
		"imports": "import " + names.String() + "z\n", "names": "def handler(ctx, data):\n" + lines.String(), "bytes": modules.String(),
	} {
		bundle.opened, bundle.bytes = 0, 0
		bundle.MapFS["src/main.py"] = &fstest.MapFile{Data: []byte(code)}
		require.False(t, usercode.PythonGeneration(bundle, "src/main.py", "").Dicts, name)
		require.LessOrEqual(t, bundle.opened, 16_384, name)
		require.LessOrEqual(t, bundle.bytes, 5<<20, name)
	}
}

func TestAGoNodeWithManyOtherFiles(t *testing.T) {
	const handler = "package main\nimport \"github.com/konstellation-io/kre-runners/kre-go\"\n" +
		"func handler(ctx *kre.HandlerContext, data []byte) (interface{}, error) { return nil, nil }\n"
	for name, other := range map[string]string{"files": "package a\n", "bytes": "package a\n" + strings.Repeat("//\n", 1<<18)} {
		bundle := fstest.MapFS{"src/n/main.go": {Data: []byte(handler)}, "src/n/main_test.go": {Data: []byte(handler)}}
		for i := range 200 {
			bundle[fmt.Sprintf("src/n/a/f%d.go", i)] = &fstest.MapFile{Data: []byte(other)}
			bundle[fmt.Sprintf("src/n/a%d.go", i)] = &fstest.MapFile{Data: []byte("package main\n")}
		}
		require.True(t, usercode.GoGeneration(bundle, "src/n").Dicts, name)
	}
	below := fstest.MapFS{"src/n/main.go": {Data: []byte("package main\n")}, "src/n/z/handler.go": {Data: []byte(handler)}}
	for i := range 200 {
		below[fmt.Sprintf("src/n/vendor/v%d.go", i)] = &fstest.MapFile{Data: []byte("package a\n" + strings.Repeat("//\n", 1<<18))}
		below[fmt.Sprintf("src/n/lib/f%d.go", i)] = &fstest.MapFile{Data: []byte("package a\n")}
	}
	require.Equal(t, "src/n/z/handler.go:3 has a handler that takes []byte", usercode.GoGeneration(below, "src/n").Why)
}
