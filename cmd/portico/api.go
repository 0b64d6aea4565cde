package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"portico"
	"portico/client"
)

// localService is what is spoken to when nothing else is named.
const localService = "http://localhost:8010"

// addProfile adds the flag that chooses the service.
func addProfile(c *cobra.Command) {
	c.PersistentFlags().String("profile", "", "profile of the service to speak to (PORTICO_PROFILE)")
}

// api returns a client of the service that flags, environment or a profile
// name. A token has no flag, because others can read command lines.
func (p *program) api(c *cobra.Command) (*client.Client, error) {
	at := profile{p.getenv("PORTICO_URL"), p.getenv("PORTICO_TOKEN")}
	name, err := c.Flags().GetString("profile")
	if err != nil {
		return nil, err
	}
	if name != "" || at.Token == "" {
		if at, err = p.chosenProfile(name, at); err != nil {
			return nil, err
		}
	}
	if at.URL == "" {
		at.URL = localService
	}
	if at.Token == "" {
		return nil, portico.Errorf(portico.KindUnauthorized,
			"There is no token for %s. Set PORTICO_TOKEN, or keep one with 'portico profile set default URL'.", at.URL)
	}
	api, err := client.New(at.URL, at.Token, client.WithUserAgent("portico/"+p.version))
	if err != nil {
		return nil, usagef("%s", err)
	}
	return api, nil
}

// chosenProfile returns a profile by name; what the environment says comes
// before the one that nobody named.
func (p *program) chosenProfile(name string, environment profile) (profile, error) {
	named := name != ""
	if !named {
		if name = p.getenv("PORTICO_PROFILE"); name != "" {
			named = true
		} else {
			name = defaultProfile
		}
	}
	all, err := p.profiles()
	if err != nil {
		if !named {
			return environment, nil // the environment may do without
		}
		return profile{}, err
	}
	at, ok := all[name]
	switch {
	case ok && environment.URL != "" && !named && strings.TrimRight(environment.URL, "/") != strings.TrimRight(at.URL, "/"):
		return environment, nil // a token goes to the service that it is for, and to no other
	case ok:
		return at, nil
	case named:
		return profile{}, portico.Errorf(portico.KindNotFound, "There is no profile %s. 'portico profile list' shows which there are.", name)
	}
	return environment, nil
}

// secretFrom reads one line from a file, from standard input for "-"; on a
// terminal it asks without showing what is typed.
func (p *program) secretFrom(file, prompt string) (string, error) {
	if fd, ok := terminal(p.stdin); ok && file == "-" {
		fmt.Fprint(p.stderr, prompt)
		typed, err := term.ReadPassword(fd)
		fmt.Fprintln(p.stderr)
		return strings.TrimSpace(string(typed)), err
	}
	text, err := p.readFile(file, 64<<10)
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimSpace(line), err
}

// readFile reads a file whole, standard input for "-".
func (p *program) readFile(file string, most int64) (string, error) {
	from := p.stdin
	if file != "-" {
		f, err := os.Open(file) //nolint:gosec // the user names the file
		if err != nil {
			return "", err
		}
		defer f.Close() //nolint:errcheck // it was only read
		from = f
	}
	raw, err := io.ReadAll(io.LimitReader(from, most+1))
	if err == nil && int64(len(raw)) > most {
		err = usagef("%s is longer than %d KiB", file, most>>10)
	}
	return string(raw), err
}

// portalID returns the id of the portal that a user names by id or by address
// label.
func portalID(ctx context.Context, api *client.Client, named string) (string, error) {
	if strings.HasPrefix(named, portico.PrefixPortal) {
		return named, nil
	}
	for p, err := range api.Portals(ctx, named) {
		if err != nil {
			return "", err
		}
		if p.APIName == named {
			return p.ID, nil
		}
	}
	return "", portico.Errorf(portico.KindNotFound, "There is no portal with the address label %s. 'portico portal list' shows which there are.", named)
}

// confirm asks a person to type a text; nobody can be asked without a terminal.
func (p *program) confirm(question, want string) (bool, error) {
	if _, ok := terminal(p.stdin); !ok {
		return false, nil
	}
	fmt.Fprint(p.stderr, question)
	line, err := bufio.NewReader(p.stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return strings.TrimSpace(line) == want, nil
}

// unreachable explains an error of a service that did not answer.
func unreachable(err error) error {
	if broken, ok := errors.AsType[*url.Error](err); ok {
		u, parseErr := url.Parse(broken.URL)
		if parseErr == nil {
			return portico.WrapError(portico.KindUnavailable, nil, "%s does not answer: %s. Is it running? PORTICO_URL or a profile says where.",
				u.Scheme+"://"+u.Host, broken.Err)
		}
	}
	return err
}
