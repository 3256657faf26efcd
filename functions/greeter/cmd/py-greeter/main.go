// Command py-greeter is the Python node as ko builds it: the bundle's files are
// links below kodata.
package main

import "krt.dev/kn-krt/pkg/pyrunner"

func main() {
	pyrunner.Start("src/py-greeter/main.py")
}
