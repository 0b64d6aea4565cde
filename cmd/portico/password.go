package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"portico"
	"portico/internal/auth"
)

// passwordFrom reads a password from a file, from standard input for "-".
func (p *program) passwordFrom(file string) (string, error) {
	if file == "-" {
		return readPassword(p.stdin)
	}
	f, err := os.Open(file) //nolint:gosec // the operator names the file
	if err != nil {
		return "", err
	}
	password, err := readPassword(f)
	return password, errors.Join(err, f.Close())
}

// readPassword reads the first line.
func readPassword(from io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(from, 2*auth.MaxPasswordBytes)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", portico.FieldErrorf("password", "a new account needs a password: give --password-file, or type it at the prompt")
	}
	return line, nil
}

// askPassword asks for a new password, twice and without showing it, or reads
// it when nobody can be asked.
func (p *program) askPassword(email string) (string, error) {
	fd, ok := terminal(p.stdin)
	if !ok {
		return readPassword(p.stdin)
	}
	var typed [2][]byte
	for i, prompt := range []string{"Password for " + strings.Map(printable, email) + ": ", "Once more: "} {
		fmt.Fprint(p.stderr, prompt)
		var err error
		typed[i], err = term.ReadPassword(fd)
		fmt.Fprintln(p.stderr)
		if err != nil {
			return "", err
		}
	}
	if string(typed[0]) != string(typed[1]) {
		return "", portico.FieldErrorf("password", "the two passwords differ; try again")
	}
	return readPassword(strings.NewReader(string(typed[0])))
}
