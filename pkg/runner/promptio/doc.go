// Package promptio makes the system calls of connections cheap for a process that waits most
// of the time, such as one that hands requests to Python and waits for the response.
//
// Go's scheduler is told of each system call, because it may block, and then its monitor
// (sysmon) starts to look every 20 µs whether it does, and goes on until the process waits
// again. Where a process waits several times for each request, the monitor's naps are most of
// what its threads do; and where other programs keep the machine busy, it takes the processor
// away from calls that were only delayed, and wakes another thread for the rest of the work.
// The sockets of net never block. So what is small is read and written here without telling
// the scheduler; where there is more to read or to write, which takes long enough to be looked
// after, it is told as usual.
//
// What this does to the scheduler: such a call is a raw system call, during which the goroutine keeps
// its processor (P) and counts as running. The sockets are non-blocking, so that the kernel returns
// EAGAIN where the call would have to wait, and the goroutine waits in the network poller then, as
// with package net. A call may take long nevertheless, where the kernel faults a page in or does not
// run the thread. Then sysmon cannot take the processor away, as it does after 20 µs to 10 ms from a
// call that the scheduler knows of. All it does is to ask the goroutine to yield once that has run
// for 10 ms (a flag, and the signal SIGURG), to which it responds when the call has returned. Until
// then, goroutines that are queued on that processor wait, unless another processor steals them, and
// so does whatever stops the world, such as the garbage collector. That is why a call has at most
// 16 KiB, and only the non-blocking sockets of package net, and pipes that do not block, are ever
// given to it. A call that a signal has interrupted (EINTR) is made again. With the race detector,
// the calls are those of package syscall, of which the scheduler knows.
package promptio
