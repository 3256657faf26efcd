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
package promptio
