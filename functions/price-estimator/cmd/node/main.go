// Command node is every node of this version as ko builds it: each names its
// Python file by src in version.yaml, and the bundle's files are links below
// kodata.
package main

import "krt.dev/kn-krt/pkg/pyrunner"

func main() {
	pyrunner.Start("")
}
