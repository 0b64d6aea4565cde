package pgtest

import (
	"errors"
	"io/fs"
	"os"
	"testing"
)

// TestPool takes a server through its life: one part comes after the other.
//
//nolint:tparallel // the reason above
func TestPool(t *testing.T) {
	t.Parallel()
	var pool Pool
	var dir string
	t.Run("lent", func(t *testing.T) {
		s := pool.Server(t, "a")
		if pool.Server(t, "a") != s || pool.Server(t, "b") == s {
			t.Error("servers are not lent by their keys")
		}
		if err := s.Run(t.Context(), "postgres", "CREATE DATABASE p_left", "CREATE ROLE p_left"); err != nil {
			t.Fatal(err)
		}
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := s.Launch(t.Context()); err != nil {
			t.Fatal(err)
		}
		got, err := s.Ask(t.Context(), "postgres", "SELECT 1 FROM pg_database WHERE datname = 'p_left'")
		if err != nil || len(got) != 1 {
			t.Errorf("after a crash: %q, %v", got, err)
		}
		dir = s.dir
	})
	t.Run("given back", func(t *testing.T) {
		s := pool.Server(t, "c")
		got, err := s.Ask(t.Context(), "postgres", `SELECT datname::text FROM pg_database UNION ALL SELECT rolname FROM pg_roles
			EXCEPT SELECT rolname FROM pg_roles WHERE starts_with(rolname, 'pg_') ORDER BY 1`)
		if err != nil || len(got) != 4 {
			t.Errorf("what a test left is there: %q, %v", got, err)
		}
	})
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a stopped server left its folder: %v", err)
	}
}
