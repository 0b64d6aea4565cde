package e2e

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"testing"

	"portico"
	"portico/internal/node"
	"portico/internal/wiretest"
)

// Demo is a demonstration that serves on a port of its own.
type Demo struct {
	node.Demo

	Node *node.Node
	dir  string
}

// StartDemo seeds a temporary folder and serves it.
func StartDemo(log *slog.Logger) (*Demo, error) {
	dir, err := os.MkdirTemp("", "portico-e2e-demo-")
	if err != nil {
		return nil, err
	}
	n, demo, err := node.OpenDemo(context.Background(), wiretest.Config(dir), node.Options{Log: log, Version: "test"})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &Demo{demo, n, dir}, nil
}

// Close stops serving and removes the folder.
func (d *Demo) Close() error {
	d.Node.Close()
	return os.RemoveAll(d.dir)
}

// Admin is an administrator of the production organization with most portals.
func (d *Demo) Admin() node.DemoAccount { return d.Account(portico.Admin, portico.Production) }

// startDemo starts a demonstration for one test.
func startDemo(t *testing.T, log *slog.Logger) *Demo {
	t.Helper()
	d, err := StartDemo(log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}
