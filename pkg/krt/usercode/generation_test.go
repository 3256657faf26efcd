package usercode_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt/usercode"
)

func TestGenerationOfAPythonNode(t *testing.T) {
	const custom = "registry.example.com/team/our-runner"
	for name, c := range map[string]struct {
		files map[string]string // beside main.py
		code  string
		image string
		dicts bool
		why   string
	}{
		"names of runner 1.1": {code: "def init(ctx):\n    ctx.set_value('glue', '-')\n\ndef handler(ctx, data):\n    return run(data)\n",
			dicts: true, why: "src/n/main.py:2 uses ctx.set_value"},
		"in a formatted string": {code: "async def handler(ctx, payload):\n    text = f\"{payload['a']}!\"\n    return run(text)\n",
			dicts: true, why: "src/n/main.py:2 uses payload as a dict"},
		"subscript": {code: "def handler(ctx, data):\n    return run(data['a'])\n",
			dicts: true, why: "src/n/main.py:2 uses data as a dict"},
		"get": {code: "def handler(ctx, data):\n    return run(data.get('a'))\n",
			dicts: true, why: "uses data as a dict"},
		"spread": {code: "def handler(ctx, data):\n    return run(**data)\n",
			dicts: true, why: "uses data as a dict"},
		"membership": {code: "def handler(ctx, data):\n    if 'a' in data:\n        return run()\n",
			dicts: true, why: "uses data as a dict"},
		"returned": {code: "def handler(\n    ctx,\n    data,\n):\n    # no\n    return {\n        'a': 1\n    }\n",
			dicts: true, why: "src/n/main.py:6 returns a dict"},
		"returned later": {code: "def handler(ctx, data):\n    out = {}\n    fill(out)\n    return out\n",
			dicts: true, why: "src/n/main.py:4 returns a dict"},
		"yielded": {code: "async def handler(ctx, data):\n    for i in run(data):\n        yield {'i': i}\n",
			dicts: true, why: "src/n/main.py:3 returns a dict"},
		"yielded later": {code: "def handler(ctx, data):\n    out = {}\n    for i in run(data):\n        out['i'] = i\n        yield out\n",
			dicts: true, why: "src/n/main.py:5 returns a dict"},
		"yields messages": {code: "from public_input_pb2 import R\ndef handler(ctx, data):\n    for i in run(data):\n        yield R(i=i)\n",
			why: "uses public_input_pb2"},
		"declared": {code: "def handler(ctx, data: dict) -> dict:\n    return run(data)\n",
			dicts: true, why: "declares that it returns a dict"},
		"unpacks": {code: "def handler(ctx, data):\n    m = Request()\n    data.Unpack(m)\n    d = {}\n    d['x'] = data['a']\n    return d\n",
			why: "src/n/main.py:3 unpacks a message"},
		"helper unpacks": {code: "import helper\ndef handler(ctx, data):\n    data2 = helper.get(data)\n    return {}\n",
			files: map[string]string{"helper.py": "def get(x):\n    x.Unpack(m)\n"},
			why:   "src/n/helper.py:2 unpacks"},
		"in a package": {code: "from lib.deep import run\ndef handler(ctx, data):\n    return run(ctx, data)\n",
			files: map[string]string{"lib/__init__.py": "", "lib/deep.py": "from . import x\nfrom .y import z\n", "lib/y.py": "ctx.save_metric()"},
			dicts: true, why: "src/n/lib/y.py:1 uses ctx.save_metric"},
		"handler is elsewhere": {code: "from impl import handler\n",
			files: map[string]string{"impl.py": "def handler(ctx, data):\n    return {}\n"},
			dicts: true, why: "src/n/impl.py:2 returns a dict"},
		"only in text": {
			code: "from public_input_pb2 import R\ndef handler(ctx, data):\n    '''return {} of data['a']'''  # data['a']\n    return R()\n",
			why:  "src/n/main.py:1 uses public_input_pb2"},
		"another value": {code: "from public_input_pb2 import R\ndef handler(ctx, data):\n    data = parse(data)\n    return R(a=data['a'])\n",
			why: "uses public_input_pb2"},
		"of another function": {
			code: "from public_input_pb2 import R\ndef handler(ctx, data):\n    return R(run(data))\n\ndef run(data):\n    return {}\n",
			why:  "uses public_input_pb2"},
		"old image": {code: "def handler(ctx, data):\n    return run(data)\n",
			image: "konstellation/kre-py:1.22.14",
			dicts: true, why: "its image is konstellation/kre-py:1.22.14"},
		"first image of messages": {code: "def handler(ctx, data):\n    return run(data)\n",
			image: "konstellation/kre-py:1.23.0",
			why:   "its image is konstellation/kre-py:1.23.0"},
		"later image": {code: "def handler(ctx, data):\n    return run(data)\n",
			image: "docker.io/konstellation/kre-py:v2.1.5-rc1",
			why:   "its image is"},
		"old image, new code": {code: "def handler(ctx, data):\n    data.Unpack(m)\n",
			image: "konstellation/kre-py:1.1.0",
			why:   "unpacks"},
		"no protobuf at all": {code: "import helper\ndef handler(ctx, data):\n    return helper.run(ctx, data)\n",
			files: map[string]string{"helper.py": "def run(ctx, x):\n    return make(x)\n"},
			dicts: true, why: "returns what it is given"},
		"nothing shows it": {code: "def handler(ctx, data):\n    raise KeyError()\n",
			why: "nothing in src/n/main.py shows otherwise"},
		"no handler": {code: "x = 1\n", why: "nothing in src/n/main.py shows otherwise"},
		"imports itself": {code: "import main\nimport pb.request_pb2\ndef handler(ctx, data):\n    return run(data)\n",
			why: "src/n/main.py:2 uses request_pb2"},
	} {
		t.Run(name, func(t *testing.T) {
			bundle := fstest.MapFS{"src/n/main.py": {Data: []byte(c.code)}}
			for file, text := range c.files {
				bundle["src/n/"+file] = &fstest.MapFile{Data: []byte(text)}
			}
			if c.image == "" {
				c.image = custom
			}
			g := usercode.PythonGeneration(bundle, "src/n/main.py", c.image)
			require.Equal(t, c.dicts, g.Dicts, g.Why)
			require.Contains(t, g.Why, c.why)
		})
	}
}

func FuzzPythonGeneration(f *testing.F) {
	f.Add("async def handler(ctx, data: dict = None) -> dict:\n    return {'a': data['b'], **data}\n", "kre-py:1.22.0")
	f.Add("from .. import x as y, z\nimport a.b\ndef handler(\nctx,\n**data):\n  \"\"\"x\"\"\"\n  return f'{data}'", "a/b@c")
	f.Add("async def handler(ctx, data):\n    async for x in data: yield {'a': x}; out = dict(); yield out\n    return", "kre-py:1.22.0")
	f.Fuzz(func(t *testing.T, code, image string) {
		bundle := fstest.MapFS{"src/main.py": {Data: []byte(code)}, "src/a.py": {Data: []byte(code)}}
		require.NotEmpty(t, usercode.PythonGeneration(bundle, "src/main.py", image).Why)
	})
}
