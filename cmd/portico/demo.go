package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"portico"
	"portico/internal/node"
)

func (p *program) newDemo() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "demo", Short: "Serve a seeded installation to try things out", Args: takes(),
		Long: `Serve two organizations, a sandbox, six portals and 240 guests, on loopback
only. Without --data everything is in a temporary folder and gone at the end;
with it, the folder is seeded once and served again the next time.`,
		Example: "  portico demo\n  portico demo --data ./demo --json",
	}
	addSettings(c.Flags(), "listen", "ops-listen", "node", "public-url", "portal-domain")
	c.Flags().Var(&settingFlag{kind: "value"}, "data", "keep everything in this folder and serve it again the next time (PORTICO_DATA)")
	c.Flags().BoolVar(&asJSON, "json", false, "print one line of JSON with everybody's credentials when ready")
	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		more := map[string]string{"dev-mail": "true"}
		if !c.Flags().Changed("data") && p.getenv("PORTICO_DATA") == "" {
			dir, err := os.MkdirTemp("", "portico-demo-")
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
			more["data"] = dir
		}
		config, _, err := p.config(c, more)
		if err != nil {
			return err
		}
		// Its people come from the seeding, not from the environment.
		config.AdminEmail, config.AdminPassword = "", ""
		ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		log := p.log(slog.LevelWarn)
		n, demo, err := node.OpenDemo(ctx, config, node.Options{Log: log, Version: p.version})
		if err != nil {
			return err
		}
		defer n.Close()
		if asJSON {
			err = json.NewEncoder(p.stdout).Encode(demo)
		} else {
			p.introduce(n, demo, more["data"] != "")
		}
		if err == nil {
			p.wait(ctx, stop, log)
		}
		return err
	}
	return c
}

// introduce tells a person what there is to try.
func (p *program) introduce(n *node.Node, demo node.Demo, temporary bool) {
	admin := demo.Account(portico.Admin, portico.Production)
	guest := demo.Account(portico.Guest, portico.PortalKind)
	portal := demo.URL
	for _, one := range demo.Portals {
		if one.ID == guest.OrganizationID {
			portal = one.URL
		}
	}
	where := n.Config.Data
	if temporary {
		where += " (gone at the end)"
	}
	fmt.Fprintf(p.stderr, `Portico %s: a demonstration is ready at %s

  Console        %s/
  Data           %s
  API reference  %s/docs   for models: %s/llms.txt
  Mail           %s/dev/mail: open an invitation and follow its link to be a guest
  A portal       %s   guest   %s   %s
  Sign in as     %s   %s
  Everybody      %s

  Try:
  curl -s %s/v1/portal -H 'Authorization: Bearer %s'

`, p.version, demo.URL, demo.URL, where, demo.URL, demo.URL, demo.URL, portal, guest.Email, guest.Password, admin.Email, admin.Password,
		filepath.Join(n.Config.Data, node.DemoFile), demo.URL, admin.Token)
}
