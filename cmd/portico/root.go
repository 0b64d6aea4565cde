package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"portico"
	"portico/internal/node"
)

// program is one run of the command line. Its streams are values, so that a
// test runs it as main does.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	version        string
}

// run runs a command line and returns the exit code.
func (p *program) run(ctx context.Context, args []string) int {
	root := p.newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(p.stderr, "portico: "+explain(err))
	}
	return exitCode(err)
}

const rootLong = `Portico serves portals: each with a database, an address and guests of its own.

  portico demo     try it: a seeded server on http://localhost:8010
  portico serve    serve the data in ./portico-data
  portico portal   work with portals of a running service; guest: with their guests

Data goes to standard output, everything else to standard error. Every setting
is a flag, a variable PORTICO_… or a default, in this order; 'portico config
print' shows which. Exit codes: 0 ok, 1 other, 2 usage, 3 not found, 4 not
allowed, 5 conflict, 6 partly done, 7 a value breaks a rule, 9 too many
attempts, 10 the service cannot do it now.`

// newRoot returns the command line. Each call returns another one.
func (p *program) newRoot() *cobra.Command {
	root := &cobra.Command{
		Use: "portico", Short: "Portals, each with a database of its own", Long: rootLong,
		SilenceErrors: true, SilenceUsage: true,
	}
	group(root)
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usagef("%s; run '%s --help'", err, c.CommandPath()) })
	root.AddCommand(
		p.newServe(), p.newDemo(), p.newConfig(), p.newVersion(),
		p.newPortal(), p.newGuest(), p.newAudit(), p.newProfile(),
	)
	// Operator's commands open the data themselves.
	for _, c := range []*cobra.Command{
		p.newSetupLink(), p.newOrg(), p.newAccount(), p.newToken(), p.newBackup(), p.newRestore(), p.newDoctor(), p.newFleet(),
		p.newCluster(), p.newImport(),
	} {
		addSettings(c.PersistentFlags(), "data", "database-url")
		root.AddCommand(c)
	}
	return root
}

// group makes a command one that only holds others: alone it prints its help,
// and a word that names none of them is a mistake.
func group(c *cobra.Command) {
	c.SuggestionsMinimumDistance = 2
	c.DisableFlagsInUseLine = true
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		message := fmt.Sprintf("there is no command %q; run '%s --help'", args[0], c.CommandPath())
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			message = fmt.Sprintf("there is no command %q; did you mean %s?", args[0], strings.Join(near, " or "))
		}
		return usagef("%s", message)
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
}

// takes returns the check that a command is given its arguments, by name.
func takes(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usagef("%s is missing; run '%s --help'", names[len(args)], c.CommandPath())
		case len(args) > len(names):
			return usagef("%q is one argument too many; run '%s --help'", args[len(names)], c.CommandPath())
		}
		return nil
	}
}

// addSettings adds the flags of settings: the named ones, or all that are no
// secrets and have no flag yet.
func addSettings(flags *pflag.FlagSet, names ...string) {
	for _, s := range node.Settings() {
		wanted := len(names) == 0
		for _, name := range names {
			wanted = wanted || name == s.Name
		}
		if s.Secret || !wanted || flags.Lookup(s.Name) != nil {
			continue
		}
		flags.Var(&settingFlag{value: s.Default, kind: "value"}, s.Name, s.Doc+" ("+s.Env()+")")
		if s.Default == "false" { // --dev-mail alone switches it on
			f := flags.Lookup(s.Name)
			f.Value, f.NoOptDefVal = &settingFlag{value: s.Default, kind: "bool"}, "true"
		}
	}
}

// settingFlag is a flag of a setting: node.Load judges its value.
type settingFlag struct{ value, kind string }

// String implements pflag.Value.
func (f *settingFlag) String() string { return f.value }

// Set implements pflag.Value.
func (f *settingFlag) Set(v string) error { f.value = v; return nil }

// Type implements pflag.Value.
func (f *settingFlag) Type() string { return f.kind }

// config returns the configuration that a command runs with; more are values
// that the command itself decides on.
func (p *program) config(c *cobra.Command, more map[string]string) (node.Config, []node.Value, error) {
	flags := map[string]string{}
	for _, s := range node.Settings() {
		if f := c.Flags().Lookup(s.Name); f != nil && f.Changed {
			flags[s.Name] = f.Value.String()
		}
	}
	maps.Copy(flags, more)
	config, values, err := node.Load(flags, p.getenv)
	if err != nil && portico.KindOf(err) == portico.KindInternal {
		err = portico.WrapError(portico.KindInvalid, nil, "%s", err)
	}
	return config, values, err
}

// openCore opens the data beside a server that may run. Only a command that
// begins an installation opens a folder that holds none.
func (p *program) openCore(c *cobra.Command, begin bool) (*node.Core, error) {
	config, _, err := p.config(c, nil)
	if err != nil {
		return nil, err
	}
	if !begin {
		if err := node.CheckData(config); err != nil {
			return nil, err
		}
	}
	return node.OpenCore(config, false, node.Options{Log: p.log(slog.LevelWarn), Version: p.version, Existing: !begin})
}

// terminal returns the file descriptor of a stream that is a terminal.
func terminal(stream any) (fd int, ok bool) {
	f, isFile := stream.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	return int(f.Fd()), true
}
