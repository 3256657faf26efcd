// Package pyrunner runs a node whose code is in Python: the front, in Go,
// speaks CloudEvents over HTTP as every runner does, and hands each event to one
// of a pool of Python processes.
//
// # Processes
//
// A worker is a Python process that imports the node's module, runs its init and
// then works on one request at a time; requests wait in the front for a free
// worker until their deadline, so many of them at most, and so many bytes: what is
// above is refused with 503, which delivery sends again. With KRT_FORK=true the
// front starts one process, the zygote, which imports and inits, and forks a worker
// whenever the front asks for one; unless it has native threads by then, or a GPU:
// it becomes a worker, and the others start afresh.
//
// A worker that dies fails its one request and is replaced. One whose request
// nobody waits for any more is told so (the handler gets an exception, so that
// its finally blocks run) and killed if it has not ended soon after. The zygote's
// death, an import error and an error in init end the front with an error. If
// the front dies, by kill -9 even, the zygote kills all of its process group;
// before it is up, and for lone workers, the kernel does (Linux). When the node
// stops, the processes that ran init end in an orderly way (shim/_krt_runner/ending.py),
// and are killed if that takes too long.
//
// # Settings
//
// Besides those of every runner (package runner): KRT_HANDLER_PATH, the node's
// Python file, absolute or relative to KRT_BASE_PATH; KRT_PYTHON, see
// [FindPython]; KRT_WORKERS, the number of workers (default 1); KRT_QUEUE, of
// requests that wait for one (default 1000); KRT_FORK and KRT_GPU, "true" or empty (a node with a GPU is not forked); GOMAXPROCS, on how
// many processors the front's Go code runs (default of cmd/runner: one for each 4
// workers, for the front only hands requests over).
package pyrunner
