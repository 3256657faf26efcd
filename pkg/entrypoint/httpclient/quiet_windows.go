package httpclient

// quiet is not known on Windows without changing the socket: an idle connection is not used again there.
func quiet(uintptr) bool { return false }
