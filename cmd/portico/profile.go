package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"portico"
	"portico/client"
)

// profile is a service and a token for it, kept under a name. The file is for
// its owner's eyes only.
type profile struct {
	URL   string `json:"url"`
	Token string `json:"token"`
}

// defaultProfile is the one that is used unless another is named.
const defaultProfile = "default"

// profilesPath returns where profiles are kept, as the XDG Base Directory
// Specification says.
func (p *program) profilesPath() (string, error) {
	dir := p.getenv("XDG_CONFIG_HOME")
	if dir == "" {
		home := p.getenv("HOME")
		if home == "" {
			return "", usagef("there is no home to keep profiles in: set HOME or XDG_CONFIG_HOME, or use PORTICO_URL and PORTICO_TOKEN")
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "portico", "profiles.json"), nil
}

func (p *program) profiles() (map[string]profile, error) {
	all := map[string]profile{}
	path, err := p.profilesPath()
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(path) //nolint:gosec // the user's own file
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &all)
	}
	if err != nil {
		return nil, portico.WrapError(portico.KindInvalid, err, "The profiles in %s cannot be read: mend or remove the file.", path)
	}
	return all, nil
}

// saveProfiles replaces the file as a whole.
func (p *program) saveProfiles(all map[string]profile) error {
	path, err := p.profilesPath()
	if err != nil {
		return err
	}
	raw, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	fresh, err := os.CreateTemp(filepath.Dir(path), "profiles-*")
	if err != nil {
		return err
	}
	_, err = fresh.Write(append(raw, '\n'))
	if err = errors.Join(err, fresh.Close()); err == nil {
		err = os.Rename(fresh.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(fresh.Name()))
	}
	return nil
}

func (p *program) newProfile() *cobra.Command {
	c := &cobra.Command{
		Use: "profile", Short: "Services that portal and guest commands speak to: set, list, remove",
		Long: `A profile is the address of a service and a token for it. 'portal' and 'guest'
commands use PORTICO_URL and PORTICO_TOKEN, or else the profile that --profile or
PORTICO_PROFILE names, or else the one named "default".`,
	}
	group(c)
	c.AddCommand(p.newProfileSet(), p.newProfileList(), p.newProfileRemove())
	return c
}

func (p *program) newProfileSet() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "set NAME URL", Short: "Keep a service's address and a token under a name", Args: takes("NAME", "URL"),
		Long: `Keep a service's address and a token under a name. The token is read from
--token-file, or from standard input; it is asked for without showing it on a
terminal.`,
		Example: "  portico profile set default https://portals.example.com",
	}
	c.Flags().StringVar(&file, "token-file", "-", "file that holds the token, - for standard input")
	c.RunE = func(_ *cobra.Command, args []string) error {
		token, err := p.secretFrom(file, "Token for "+args[1]+": ")
		if err != nil {
			return err
		}
		if _, err := client.New(args[1], token); err != nil {
			return usagef("%s", err)
		}
		all, err := p.profiles()
		if err != nil {
			return err
		}
		all[args[0]] = profile{args[1], token}
		if err := p.saveProfiles(all); err != nil {
			return err
		}
		fmt.Fprintf(p.stderr, "Profile %s is for %s now.\n", args[0], args[1])
		return nil
	}
	return c
}

// profileRow is a profile as it is printed: never with its token.
type profileRow struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

func (p *program) newProfileList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List profiles, without their tokens", Args: takes()}
	addOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		form, err := checkOutput(c)
		if err != nil {
			return err
		}
		all, err := p.profiles()
		if err != nil {
			return err
		}
		var rows []profileRow
		for _, name := range slices.Sorted(maps.Keys(all)) {
			rows = append(rows, profileRow{name, all[name].URL})
		}
		return printList(p, form, rows, []column[profileRow]{
			{"name", func(r profileRow) string { return r.Name }}, {"url", func(r profileRow) string { return r.URL }},
		})
	}
	return c
}

func (p *program) newProfileRemove() *cobra.Command {
	c := &cobra.Command{Use: "remove NAME", Short: "Forget a profile and its token", Args: takes("NAME")}
	c.RunE = func(_ *cobra.Command, args []string) error {
		all, err := p.profiles()
		if err != nil {
			return err
		}
		if _, ok := all[args[0]]; !ok {
			return portico.Errorf(portico.KindNotFound, "There is no profile %s.", args[0])
		}
		delete(all, args[0])
		return p.saveProfiles(all)
	}
	return c
}
