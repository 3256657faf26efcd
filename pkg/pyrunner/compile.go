package pyrunner

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Bounds of what [Compile] reads of a bundle, and of what its interpreter may take and say.
const (
	maxCompiled     = 2000 // files
	maxSource       = 1 << 20
	maxSources      = 32 << 20
	maxCompileText  = 1 << 20
	compilePatience = 30 * time.Second
)

// SyntaxError is why an interpreter does not compile a file.
type SyntaxError struct {
	// File is the path from the bundle's root. Line and Column count from 1; 0 is not known.
	File         string
	Line, Column int
	// Text is the interpreter's.
	Text string
}

// compileCode compiles what it reads, and runs none of it. What the compiler cannot take for another reason than its
// syntax is left out: another Python, or one with more memory, may.
const compileCode = `import base64, json, sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
except (ImportError, OSError, ValueError): pass
def say(**one): print(json.dumps(one), flush=True)
say(version="%d.%d" % sys.version_info[:2])
for line in sys.stdin.buffer:
    one = json.loads(line)
    try: compile(base64.b64decode(one["source"]), "node.py", "exec", dont_inherit=True)
    except SyntaxError as e: say(file=one["file"], line=e.lineno or 0, column=e.offset or 0, text=str(e.msg))
    except ValueError as e: say(file=one["file"], text=str(e))
    except Exception: pass`

// Compile has the interpreter compile those of the bundle's files that are named and regular, up to some bounds, and returns
// its version and the files that it does not compile. None of them is run, and nothing is written. What cannot be found out
// is left out.
func Compile(ctx context.Context, python string, bundle fs.FS, names []string) (version string, bad []SyntaxError) {
	ctx, cancel := context.WithTimeout(ctx, compilePatience)
	defer cancel()
	python, _ = filepath.Abs(python) // KRT_PYTHON may be relative to the working directory of this process
	// Without the environment, that directory and site, of which it would run code as it starts.
	cmd := exec.CommandContext(ctx, python, "-I", "-S", "-W", "ignore", "-c", compileCode)
	cmd.Dir, cmd.Env, cmd.WaitDelay = string(filepath.Separator), withoutHere(os.Environ()), time.Second
	var said bytes.Buffer
	cmd.Stdin, cmd.Stdout = sourcesOf(bundle, names), &limitedBuffer{&said, maxCompileText}
	_ = cmd.Run() // what it has said before counts
	lines := json.NewDecoder(&said)
	for {
		var one struct {
			Version      string
			File         int
			Line, Column int
			Text         string
		}
		if lines.Decode(&one) != nil || one.File < 0 || one.File >= len(names) {
			return version, bad
		}
		if one.Version != "" {
			version = one.Version
			continue
		}
		bad = append(bad, SyntaxError{names[one.File], max(one.Line, 0), max(one.Column, 0), one.Text})
	}
}

// sourcesOf is what the interpreter reads: a line for each file.
func sourcesOf(bundle fs.FS, names []string) io.Reader {
	var lines bytes.Buffer
	write, total := json.NewEncoder(&lines), 0
	for i, name := range names[:min(len(names), maxCompiled)] {
		info, err := fs.Stat(bundle, name)
		if err != nil || !info.Mode().IsRegular() || info.Size() > maxSource {
			continue
		}
		source, err := fs.ReadFile(bundle, name)
		if total += len(source); err != nil || len(source) > maxSource || total > maxSources {
			continue
		}
		_ = write.Encode(map[string]any{"file": i, "source": source}) // a buffer takes all
	}
	return &lines
}

// limitedBuffer keeps the first bytes that are written to it.
type limitedBuffer struct {
	to   *bytes.Buffer
	left int
}

// Write implements io.Writer.
func (l *limitedBuffer) Write(p []byte) (int, error) {
	kept := p[:min(len(p), l.left)]
	l.left -= len(kept)
	_, _ = l.to.Write(kept)
	return len(p), nil
}
