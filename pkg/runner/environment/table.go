// Package environment is the one list of a node's environment variables: what
// they are called, what they mean, who reads them and where they are set (KRT V1,
// "Environment of a node").
package environment

import "strconv"

// Names of the variables. [Table] says what each means.
const (
	Version           = "KRT_VERSION"
	VersionID         = "KRT_VERSION_ID"
	RuntimeID         = "KRT_RUNTIME_ID"
	NodeName          = "KRT_NODE_NAME"
	NodeID            = "KRT_NODE_ID"
	WorkflowName      = "KRT_WORKFLOW_NAME"
	WorkflowID        = "KRT_WORKFLOW_ID"
	BasePath          = "KRT_BASE_PATH"
	HandlerPath       = "KRT_HANDLER_PATH"
	ReplyURL          = "KRT_REPLY_URL"
	Store             = "KRT_STORE"
	StoreCredentials  = "KRT_STORE_CREDENTIALS"
	Log               = "KRT_LOG"
	LogLevel          = "KRT_LOG_LEVEL"
	Timeout           = "KRT_TIMEOUT"
	BackgroundTimeout = "KRT_BACKGROUND_TIMEOUT"
	MaxMessageBytes   = "KRT_MAX_MESSAGE_BYTES"
	Workers           = "KRT_WORKERS"
	Queue             = "KRT_QUEUE"
	Fork              = "KRT_FORK"
	GPU               = "KRT_GPU"
	Python            = "KRT_PYTHON"
	ListenFD          = "KRT_LISTEN_FD"
	Port              = "PORT"
	KoDataPath        = "KO_DATA_PATH"
)

// Prefix begins the names that belong to the platform. A manifest may not set them.
const Prefix = "KRT_"

// Variable describes one environment variable of a node.
type Variable struct {
	Name string
	// Meaning is what its value is, in Markdown.
	Meaning string
	// Readers are who reads it.
	Readers string
	// Source is where it is set, in Markdown.
	Source string
	// Key is the key of a node in krt.yml that sets it; empty if there is none.
	Key string
	// Inherited says that a local run passes it on from the developer's environment.
	Inherited bool

	value func(Values) string // nil: not one of Values
	empty bool                // it is set even if it has no value
}

// Who reads a variable, and where it is set.
const (
	code          = "the node's code"
	runners       = "every runner"
	both          = "every runner, the node's code"
	pythonRunner  = "the Python runner"
	oneAtATime    = "the Python runner, `runner/kre`"
	everywhere    = "local run, cluster"
	withDeveloper = "local run, cluster, developer"
)

// Table returns all variables, in the order in which they are set.
func Table() []Variable {
	return []Variable{
		{Name: Version, Meaning: "name of the version", Readers: both, Source: everywhere,
			value: func(v Values) string { return v.Version }},
		{Name: VersionID, Meaning: "the same", Readers: both, Source: everywhere,
			value: func(v Values) string { return v.Version }},
		{Name: RuntimeID, Meaning: "namespace; `local` in a local run", Readers: both, Source: everywhere,
			value: func(v Values) string { return v.Runtime }},
		{Name: NodeName, Meaning: "name of the node", Readers: both, Source: everywhere,
			value: func(v Values) string { return v.Node }},
		{Name: NodeID, Meaning: "`<version>-<node>`", Readers: code, Source: everywhere,
			value: func(v Values) string { return v.NodeID }},
		{Name: WorkflowName, Meaning: "the node's workflow; empty if it has several", Readers: both, Source: everywhere,
			value: func(v Values) string { return v.Workflow }, empty: true},
		{Name: WorkflowID, Meaning: "`<version>-<workflow>`; empty likewise", Readers: code, Source: everywhere,
			value: func(v Values) string { return v.WorkflowID }, empty: true},
		{Name: BasePath, Meaning: "root of the bundle, from which `ctx.path` starts", Readers: both, Source: "local run, image, `kn-krt test`",
			value: func(v Values) string { return v.BasePath }},
		{Name: HandlerPath, Meaning: "`src` of the node", Readers: pythonRunner, Source: "local run, cluster, image",
			value: func(v Values) string { return v.HandlerPath }},
		{Name: ReplyURL, Meaning: "the entrypoint's reply port", Readers: runners, Source: everywhere,
			value: func(v Values) string { return v.ReplyURL }},
		{Name: Store, Meaning: "address of the store", Readers: runners, Source: "local run, cluster (setting `store-url`)",
			value: func(v Values) string { return v.Store }},
		{Name: StoreCredentials, Meaning: "folder with the version's credentials for the store", Readers: runners, Source: "cluster",
			value: func(v Values) string { return v.StoreCredentials }},
		{Name: Log, Meaning: "format of log lines: `json`, `plain` or `text`", Readers: runners, Source: everywhere,
			value: func(v Values) string { return v.Log }},
		{Name: LogLevel, Meaning: "`debug`, `info`, `warn` or `error`", Readers: runners, Source: "developer", Inherited: true},
		{Name: Timeout, Meaning: "longest duration of a call", Readers: runners, Source: everywhere, Key: "timeout",
			value: func(v Values) string { return duration(v.Timeout) }},
		{Name: BackgroundTimeout, Meaning: "longest duration of work after a response", Readers: runners, Source: everywhere,
			value: func(v Values) string { return duration(v.BackgroundTimeout) }},
		{Name: MaxMessageBytes, Meaning: "largest message", Readers: runners, Source: everywhere,
			value: func(v Values) string { return number(v.MaxMessageBytes) }},
		{Name: Workers, Meaning: "number of calls that run at a time", Readers: oneAtATime, Source: withDeveloper, Key: "workers",
			Inherited: true, value: func(v Values) string { return number(v.Workers) }},
		{Name: Queue, Meaning: "number of calls that may wait for a worker", Readers: pythonRunner,
			Source: "cluster (setting `python-queue`), developer", Inherited: true, value: func(v Values) string { return number(v.Queue) }},
		{Name: Fork, Meaning: "`true`: workers are forked from one process", Readers: pythonRunner, Source: withDeveloper, Key: "fork",
			Inherited: true, value: func(v Values) string { return flag(v.Fork) }},
		{Name: GPU, Meaning: "`true`: the node has a GPU, and is not forked", Readers: pythonRunner, Source: everywhere, Key: "gpu",
			value: func(v Values) string { return flag(v.GPU) }},
		{Name: Python, Meaning: "the Python interpreter; where images are made, that which gets and compiles requirements",
			Readers: pythonRunner + ", `kn-krt`", Source: "local run, developer", Inherited: true,
			value: func(v Values) string { return v.Python }},
		{Name: ListenFD, Meaning: "number of the socket to listen on", Readers: runners, Source: "local run"},
		{Name: Port, Meaning: "port to listen on, without such a socket", Readers: runners, Source: "local run, Knative"},
		{Name: KoDataPath, Meaning: "root of the bundle, without `KRT_BASE_PATH`", Readers: runners, Source: "image", Inherited: true},
	}
}

// Find returns the variable of that name, and whether it is one of a node's.
func Find(name string) (Variable, bool) {
	for _, v := range Table() {
		if v.Name == name {
			return v, true
		}
	}
	return Variable{}, false
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func flag(set bool) string {
	if set {
		return "true"
	}
	return ""
}
