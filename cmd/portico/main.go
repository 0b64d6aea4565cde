// Command portico is the service and its operator's tools: it parses a command
// line, hands over to package node, and turns what comes back into output, talk
// and an exit code. It holds no rule of the product and no SQL.
//
// It imports node and what stands below it; the API's own commands go through
// the client. Each command has a file of its own; start with newRoot in root.go.
package main

import (
	"context"
	"os"
)

// version is set when a release is built (-ldflags '-X main.version=…').
var version = "dev"

func main() {
	p := &program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, version: version}
	os.Exit(p.run(context.Background(), os.Args[1:]))
}
