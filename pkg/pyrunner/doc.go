// Package pyrunner runs a node whose code is in Python. The front, in Go, receives
// CloudEvents over HTTP as every runner does, and hands each event to one of a pool
// of Python processes.
//
// # Processes
//
// A worker is a Python process that imports the node's module, runs its init and then
// processes one request at a time. Two pipes connect it with the front. Requests wait
// there for a free worker until their deadline; their number and their bytes are
// limited, and further ones are refused with 503, so that the delivery sends them again.
// With KRT_FORK=true the front starts one process, the zygote, which imports the module,
// runs init, and forks a worker when the front asks for one. If it has native threads or
// a GPU after init, it becomes a worker itself, and the other workers are new processes.
//
// A worker that dies fails its one request and is replaced. If the client of its
// request no longer waits, the handler gets an exception, so that its finally blocks
// run, and the worker is killed if the handler does not end soon. If the zygote dies,
// or the import or init fails, the front ends with an error. If the front dies, even by
// kill -9, the zygote kills its process group; before it is ready, and for workers that
// are not forked, the kernel does (Linux). When the node stops, the processes that ran
// init end in an orderly way (shim/_krt_runner/ending.py), and are killed if that takes
// too long.
//
// # Settings
//
// In addition to the settings of every runner (package runner): KRT_HANDLER_PATH, the
// node's Python file, absolute or relative to KRT_BASE_PATH; KRT_PYTHON, see
// [FindPython]; KRT_WORKERS, the number of workers (default 1); KRT_QUEUE, the number of
// requests that wait for one (default 1000); KRT_FORK and KRT_GPU, "true" or empty (a
// node with a GPU is not forked); GOMAXPROCS, the number of processors that the front's
// Go code uses (default of cmd/runner: one for every 4 workers, because the front only
// hands requests over).
package pyrunner
