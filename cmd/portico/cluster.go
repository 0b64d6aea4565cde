package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"portico"
	"portico/internal/control"
	"portico/internal/node"
)

// clusterRow is a cluster as it is printed.
type clusterRow struct {
	Name    string               `json:"name"`
	State   portico.ClusterState `json:"state"`
	Portals int                  `json:"portals"`
	Cap     int                  `json:"cap"`
	ID      string               `json:"id"`
}

func clusterRowOf(c portico.Cluster) clusterRow {
	return clusterRow{c.Name, c.Standing(), c.Portals, c.Cap, c.ID}
}

func clusterColumns() []column[clusterRow] {
	return []column[clusterRow]{
		{"name", func(c clusterRow) string { return c.Name }},
		{"state", func(c clusterRow) string { return string(c.State) }},
		{"portals", func(c clusterRow) string { return strconv.Itoa(c.Portals) }},
		{"cap", func(c clusterRow) string { return strconv.Itoa(c.Cap) }},
		{"id", func(c clusterRow) string { return c.ID }},
	}
}

func (p *program) newCluster() *cobra.Command {
	c := &cobra.Command{
		Use: "cluster", Short: "PostgreSQL servers that hold portals: add, list, set, remove",
		Long: `Manage the PostgreSQL servers on which portals' databases are made. A new portal
goes to the open one with the fewest portals. The registry's own server is the
first.`,
	}
	group(c)
	c.AddCommand(p.newClusterAdd(), p.newClusterList(), p.newClusterSet(), p.newClusterRemove())
	return c
}

func (p *program) newClusterAdd() *cobra.Command {
	c := &cobra.Command{
		Use: "add NAME URL", Short: "Add a server; URL is - to read it from standard input", Args: takes("NAME", "URL"),
		Long: `Add a server. URL names a database there that its role may connect to, and is
kept sealed. Other programs see what stands on a command line: read a URL with a
password from standard input.`,
		Example: "  portico cluster add eu-2 - < url-of-eu-2\n  portico cluster add eu-3 postgres://portico@10.0.0.3/postgres",
	}
	addOutput(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		form, err := checkOutput(c)
		if err != nil {
			return err
		}
		url, err := p.urlFrom(args[1])
		if err != nil {
			return err
		}
		core, err := p.openCore(c, false)
		if err != nil {
			return err
		}
		defer core.Close()
		added, err := core.Control.AddCluster(c.Context(), args[0], url)
		if err != nil {
			return err
		}
		return printOne(p, form, clusterRowOf(added), clusterColumns())
	}
	return c
}

// maxURL is the longest address that is read.
const maxURL = 4096

// urlFrom returns an address, the first line of standard input for "-".
func (p *program) urlFrom(arg string) (string, error) {
	if arg != "-" {
		return arg, nil
	}
	line, err := bufio.NewReader(io.LimitReader(p.stdin, maxURL)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimSpace(line), nil
}

func (p *program) newClusterList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the servers, oldest first", Args: takes()}
	listing(p, c, clusterColumns(), func(ctx context.Context, core *node.Core) (rows []clusterRow, err error) {
		all, err := core.Control.Clusters(ctx)
		for _, cluster := range all {
			rows = append(rows, clusterRowOf(cluster))
		}
		return rows, err
	})
	return c
}

func (p *program) newClusterSet() *cobra.Command {
	var state, url string
	var most int
	c := &cobra.Command{
		Use: "set NAME", Short: "Change a server's state, cap or address", Args: takes("NAME"),
		Example: "  portico cluster set eu-2 --state draining\n  portico cluster set eu-2 --cap 3000\n  portico cluster set eu-2 --url - < new-url",
	}
	addOutput(c)
	c.Flags().StringVar(&state, "state", "", "open: takes new portals; draining: takes none")
	c.Flags().IntVar(&most, "cap", portico.DefaultClusterCap, "the most portals that it is to hold")
	c.Flags().StringVar(&url, "url", "", "where it is by now, or with which password; - reads it from standard input")
	c.RunE = func(c *cobra.Command, args []string) error {
		form, err := checkOutput(c)
		if err != nil {
			return err
		}
		var change control.ClusterChange
		if c.Flags().Changed("state") {
			to := portico.ClusterState(state)
			change.State = &to
		}
		if c.Flags().Changed("cap") {
			change.Cap = &most
		}
		if c.Flags().Changed("url") {
			if url, err = p.urlFrom(url); err != nil {
				return err
			}
			change.URL = &url
		}
		if change == (control.ClusterChange{}) {
			return usagef("nothing to change; give --state, --cap or --url")
		}
		core, err := p.openCore(c, false)
		if err != nil {
			return err
		}
		defer core.Close()
		changed, err := core.Control.SetCluster(c.Context(), args[0], change)
		if err != nil {
			return err
		}
		return printOne(p, form, clusterRowOf(changed), clusterColumns())
	}
	return c
}

func (p *program) newClusterRemove() *cobra.Command {
	c := &cobra.Command{
		Use: "remove NAME", Short: "Take a server that holds no portals off the list", Args: takes("NAME"),
		Long: `Take a server that holds no portals off the list, and drop the templates that
portals' databases were copied from there. Databases that were set aside stay,
for they hold data; the command names them.`,
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		core, err := p.openCore(c, false)
		if err != nil {
			return err
		}
		defer core.Close()
		left, err := core.Control.RemoveCluster(c.Context(), args[0])
		if err != nil {
			return err
		}
		fmt.Fprintf(p.stderr, "%s: removed\n", args[0])
		for _, what := range left {
			fmt.Fprintf(p.stderr, "left there: %s\n", what)
		}
		return nil
	}
	return c
}
