package postgres

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"

	"portico"
)

// findProgram returns the path of one of PostgreSQL's programs: the newest of
// those that Debian keeps apart by version, or the one on the PATH. A newer
// pg_dump reads older servers, never the other way round.
func findProgram(name string) (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		return slices.MaxFunc(found, func(a, b string) int { return majorOf(a) - majorOf(b) }), nil
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", portico.WrapError(portico.KindUnavailable, err,
			"%s is not installed. Install PostgreSQL's programs (Debian: apt-get install postgresql-client).", name)
	}
	return path, nil
}

// CheckPrograms looks whether all of PostgreSQL's programs that we use are there.
func CheckPrograms() error {
	for _, name := range []string{"pg_dump", "pg_restore"} {
		if _, err := findProgram(name); err != nil {
			return err
		}
	}
	return nil
}

func majorOf(path string) int {
	major, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	if err != nil {
		return 0
	}
	return major
}

// runProgram runs one of PostgreSQL's programs on a database of a server, or on
// none, and waits for its end. in and out may be nil. What it has to say is a part of the error.
func runProgram(ctx context.Context, a *address, in io.Reader, out io.Writer, name, database string, args ...string) error {
	path, err := findProgram(name)
	if err != nil {
		return err
	}
	environment := []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	if a != nil {
		dsn, more := a.forPrograms(database)
		args = append([]string{"--dbname=" + dsn, "--no-password"}, args...)
		environment = append(environment, more...)
	}
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // one of two programs, without a shell
	cmd.Env = environment
	cmd.Stdin, cmd.Stdout = in, out
	said := &limited{most: 4096}
	cmd.Stderr = said
	err = cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return unavailable(context.Cause(ctx))
	}
	return unavailable(errors.Join(err, errors.New(name+": "+said.text.String())))
}

// limited keeps the beginning of what is written to it.
type limited struct {
	text bytes.Buffer
	most int
}

// Write implements io.Writer.
func (l *limited) Write(p []byte) (int, error) {
	l.text.Write(p[:min(len(p), l.most-l.text.Len())])
	return len(p), nil
}
