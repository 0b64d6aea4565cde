package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"portico/internal/node"
)

// column is a column of what a command lists: its heading, and what of a row
// stands in it.
type column[T any] struct {
	heading string
	of      func(T) string
}

// addOutput adds the flag that says in which form a command prints its data.
func addOutput(c *cobra.Command) {
	c.Flags().StringP("output", "o", "table", "form of the data: table, json or csv")
	must(c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "csv"}, cobra.ShellCompDirectiveNoFileComp)))
}

// must ends the program over a mistake in how the commands are put together.
func must(err error) {
	if err != nil {
		panic("portico: " + err.Error())
	}
}

// checkOutput returns the form that was asked for. It is called before a
// command does anything.
func checkOutput(c *cobra.Command) (string, error) {
	form, err := c.Flags().GetString("output")
	if err == nil && !slices.Contains([]string{"table", "json", "csv"}, form) {
		err = usagef("%q is no form of output; use table, json or csv", form)
	}
	return form, err
}

// printList prints rows. A table has headings on a terminal; piped, it is
// values between tabs, for other programs.
func printList[T any](p *program, form string, rows []T, columns []column[T]) error {
	if form == "json" {
		if rows == nil {
			rows = []T{}
		}
		return printJSON(p.stdout, rows)
	}
	return printRows(p, form, rows, columns)
}

// listing gives a command the action of printing the rows that read finds.
func listing[T any](p *program, c *cobra.Command, columns []column[T], read func(context.Context, *node.Core) ([]T, error)) {
	addOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		form, err := checkOutput(c)
		if err != nil {
			return err
		}
		core, err := p.openCore(c, false)
		if err != nil {
			return err
		}
		defer core.Close()
		rows, err := read(c.Context(), core)
		if err != nil {
			return err
		}
		return printList(p, form, rows, columns)
	}
}

// printOne prints what a command made.
func printOne[T any](p *program, form string, row T, columns []column[T]) error {
	if form == "json" {
		return printJSON(p.stdout, row)
	}
	return printRows(p, form, []T{row}, columns)
}

func printJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// cellsOf returns the headings and the cells of rows.
func cellsOf[T any](rows []T, columns []column[T]) (headings []string, cells [][]string) {
	headings = make([]string, len(columns))
	for i, c := range columns {
		headings[i] = c.heading
	}
	cells = make([][]string, len(rows))
	for i, row := range rows {
		for _, c := range columns {
			cells[i] = append(cells[i], c.of(row))
		}
	}
	return headings, cells
}

func printCSV[T any](to io.Writer, rows []T, columns []column[T]) error {
	headings, cells := cellsOf(rows, columns)
	w := csv.NewWriter(to)
	if err := w.Write(headings); err != nil {
		return err
	}
	return w.WriteAll(cells)
}

func printRows[T any](p *program, form string, rows []T, columns []column[T]) error {
	if form == "csv" {
		return printCSV(p.stdout, rows, columns)
	}
	headings, cells := cellsOf(rows, columns)
	w := p.stdout
	flush := func() error { return nil }
	if _, ok := terminal(p.stdout); ok {
		table := tabwriter.NewWriter(p.stdout, 0, 4, 2, ' ', 0)
		w, flush = table, table.Flush
		for i, h := range headings {
			headings[i] = strings.ToUpper(h)
		}
		cells = slices.Insert(cells, 0, headings)
	}
	for _, row := range cells {
		for i := range row {
			row[i] = strings.Map(printable, row[i])
		}
		if _, err := fmt.Fprintln(w, strings.Join(row, "\t")); err != nil {
			return err
		}
	}
	return flush()
}
