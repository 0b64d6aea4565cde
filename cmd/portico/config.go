package main

import (
	"github.com/spf13/cobra"
)

// settingRow is a setting as it is printed: a secret's value never is.
type settingRow struct {
	Name     string `json:"name"`
	Value    string `json:"value"`
	Origin   string `json:"origin"`
	Variable string `json:"variable"`
	Secret   bool   `json:"secret"`
}

func (p *program) newConfig() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Settings: print them"}
	group(c)
	c.AddCommand(p.newConfigPrint())
	return c
}

func (p *program) newConfigPrint() *cobra.Command {
	c := &cobra.Command{
		Use: "print", Short: "Print every setting with its value and where that came from", Args: takes(),
		Long: `Print every setting with the value in force and its origin: a flag, a variable,
a file that a variable names, or the default. Secrets are not shown.`,
	}
	addOutput(c)
	addSettings(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error {
		form, err := checkOutput(c)
		if err != nil {
			return err
		}
		_, values, err := p.config(c, nil)
		if err != nil {
			return err
		}
		rows := make([]settingRow, len(values))
		for i, v := range values {
			rows[i] = settingRow{v.Name, v.Shown(), v.Origin, v.Env(), v.Secret}
		}
		return printList(p, form, rows, []column[settingRow]{
			{"setting", func(r settingRow) string { return r.Name }},
			{"value", func(r settingRow) string { return r.Value }},
			{"origin", func(r settingRow) string { return r.Origin }},
			{"variable", func(r settingRow) string { return r.Variable }},
		})
	}
	return c
}
