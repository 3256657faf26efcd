package local

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/cli/call"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/local"
	"krt.dev/kn-krt/pkg/logline"
)

// newConsole returns a reporter that prints text, or JSON lines.
func newConsole(o runOptions) local.Reporter {
	if o.output == term.OutputJSON {
		return &jsonConsole{out: o.streams.Out}
	}
	return &textConsole{
		out: o.streams.Out, program: o.program, verbose: o.verbose, now: time.Now,
		painter: term.NewPainter(o.streams.TTY && !o.noColor),
	}
}

// textConsole prints a run for people.
type textConsole struct {
	out     io.Writer
	program string
	verbose bool
	now     func() time.Time

	mu      sync.Mutex
	width   int // of the longest node's name
	painter *term.Painter
}

// clock is the format of a line's time; the date would only take space.
const clock = "15:04:05.000"

// Line writes "15:04:05.678 [node] line", in local time. A line may have what clients sent.
func (c *textConsole) Line(node, _, line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// One write each, so that lines of others that share the stream stay whole.
	var out strings.Builder
	for _, text := range logline.Texts(line) {
		out.WriteString(c.now().Format(clock) + " " + c.painter.Name(node) + " " + legible.Printable(text) + "\n")
	}
	_, _ = io.WriteString(c.out, out.String())
}

// Event writes a line or a few about e.
func (c *textConsole) Event(e local.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if text := c.text(e); text != "" {
		_, _ = io.WriteString(c.out, text)
	}
}

func (c *textConsole) text(e local.Event) string {
	switch e.Type {
	case local.EventState:
		if c.verbose {
			return "state folder " + e.StateDir + "\n"
		}
		return ""
	case local.EventStarting:
		return c.starting(e)
	case local.EventWarning:
		return c.painter.Paint(term.ColourWarn, "!") + " " + legible.Printable(e.Text) + "\n"
	case local.EventRequest:
		return c.request(e.Request)
	case local.EventReady:
		return c.ready(e.Serving)
	case local.EventStopping:
		return "stopping …\n"
	case local.EventStopped:
		if c.width == 0 { // nothing had been started
			return ""
		}
		return "stopped\n"
	}
	return c.reload(e) + c.node(e)
}

// starting is where it can be seen how far the nodes are.
func (c *textConsole) starting(e local.Event) string {
	for _, node := range e.Nodes {
		c.width = max(c.width, len(node))
	}
	if e.Serving == nil || e.Serving.Dashboard == "" {
		return ""
	}
	return "dashboard " + e.Serving.Dashboard + "\n"
}

// reload is the text of a reload's event.
func (c *textConsole) reload(e local.Event) string {
	switch e.Type {
	case local.EventReloading:
		return "… " + legible.Printable(e.Text) + " changed" + listed(", restarting ", e.Nodes) + "\n"
	case local.EventReloaded:
		return c.good() + " reloaded" + listed(" ", e.Nodes) + " in " + seconds(e.Took) + "\n"
	case local.EventReloadFailed:
		previous := "the previous code keeps running"
		if len(e.Nodes) > 0 {
			previous = "and the previous code does not run either" + listed(" in ", e.Nodes) + ", where it exits"
		}
		return c.bad() + " not reloaded, " + previous + ": " + legible.Printable(e.Error.Error()) + "\n"
	}
	return ""
}

// node is the text of an event of one node.
func (c *textConsole) node(e local.Event) string {
	name := fmt.Sprintf("%-*s", c.width, e.Node)
	switch e.Type {
	case local.EventBuilding:
		return "… " + name + "  building\n"
	case local.EventWaiting:
		return "… " + name + "  not ready yet after " + seconds(e.Took) + "\n"
	case local.EventNodeReady:
		return fmt.Sprintf("%s %s  %-6s  ready in %s\n", c.good(), name, e.Language, seconds(e.Took))
	case local.EventNodeExited:
		again := ", restarting"
		if e.Delay > 0 {
			again += " in " + seconds(e.Delay)
		}
		return c.bad() + " " + name + "  exited (" + legible.Printable(e.Error.Error()) + ")" + again + "\n"
	}
	return ""
}

// ready is how to call the version, with commands to copy.
func (c *textConsole) ready(s *local.Serving) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s %s is ready (press Ctrl-C to stop it)\n", c.good(), s.Version)
	everywhere := ""
	if local.Reachable(s.Web) != s.Web {
		everywhere = "  (and at this machine's other addresses)"
	}
	if s.Dashboard != "" {
		fmt.Fprintf(&b, "  dashboard %s  (on this machine)\n", s.Dashboard)
	}
	fmt.Fprintf(&b, "  gRPC      %s%s\n  web       http://%s%s\n  metrics   http://%s/metrics\n",
		local.Reachable(s.GRPC), everywhere, local.Reachable(s.Web), everywhere, local.Reachable(s.Reply))
	if s.Inspection != "" {
		fmt.Fprintf(&b, "  inspect   http://%s/requests  (see '%s requests')\n", s.Inspection, c.program)
	}
	if s.Traces != "" {
		fmt.Fprintf(&b, "  traces    are sent to %s\n", s.Traces)
	}
	if len(s.Workflows) == 0 {
		return b.String()
	}
	w := s.Workflows[0]
	address, example := "", legible.Argument(w.Example)
	if grpc := local.Reachable(s.GRPC); grpc != call.DefaultAddress {
		address = " --address " + grpc
	}
	fmt.Fprintf(&b, "\nTry it:\n  %s invoke %s -d %s%s\n", c.program, w.Name, example, address)
	fmt.Fprintf(&b, "  curl %s-H 'Content-Type: application/json' -d %s http://%s/%s\n\n",
		atOnce(w), example, local.Reachable(s.Web), w.Method)
	return b.String()
}

// atOnce is curl's option to print what it gets at once.
func atOnce(w local.ServingWorkflow) string {
	if w.Streams {
		return "-N "
	}
	return ""
}

func (c *textConsole) good() string { return c.painter.Paint(term.ColourGood, "✓") }
func (c *textConsole) bad() string  { return c.painter.Paint(term.ColourBad, "✗") }

func listed(before string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	return before + strings.Join(names, ", ")
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2fs", d.Seconds()) }
