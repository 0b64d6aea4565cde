package main

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"portico/internal/node"
)

func (p *program) newDoctor() *cobra.Command {
	c := &cobra.Command{
		Use: "doctor", Short: "Look for what is wrong with an installation, and change nothing", Args: takes(),
		Long: `Look at folder, secret, limits, registry and every portal's database, while a
server runs too, and say what to do about what is wrong. The exit code is 1 when
a check fails.`,
	}
	addOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		form, err := checkOutput(c)
		if err != nil {
			return err
		}
		config, _, err := p.config(c, nil)
		if err != nil {
			return err
		}
		checks := node.Examine(c.Context(), config, node.Options{Log: p.log(slog.LevelError + 1), Version: p.version})
		err = printList(p, form, checks, []column[node.Check]{
			{"status", func(c node.Check) string { return statusWord(c.Status, form) }},
			{"check", func(c node.Check) string { return c.Name }},
			{"portal", func(c node.Check) string { return c.Portal }},
			{"found", func(c node.Check) string { return explainText(c.Text) }},
		})
		if err != nil {
			return err
		}
		bad := 0
		for _, check := range checks {
			if check.Status == node.CheckFail {
				bad++
			}
		}
		if bad > 0 {
			return &outcome{exitOther, fmt.Sprintf("%d of %d checks failed", bad, len(checks))}
		}
		return nil
	}
	return c
}

// statusWord returns a status in words, in capitals where it is bad: colour
// would break the table's columns, and nobody needs it to tell them apart.
func statusWord(s node.CheckStatus, form string) string {
	if form == "table" && s == node.CheckFail {
		return strings.ToUpper(string(s))
	}
	return string(s)
}
