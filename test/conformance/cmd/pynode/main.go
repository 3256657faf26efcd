// Command pynode is the Python nodes of the conformance version on a cluster;
// their code is linked below kodata.
package main

import "krt.dev/kn-krt/pkg/pyrunner"

func main() {
	pyrunner.Start("src/node/main.py")
}
