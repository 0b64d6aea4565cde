package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"portico"
	"portico/internal/node"
)

func (p *program) newServe() *cobra.Command {
	c := &cobra.Command{
		Use: "serve", Short: "Serve the API and the portals", Args: takes(),
		Long: `Serve the API and the portals from a data folder, which is made when it is
absent. SIGTERM or an interrupt ends it: requests under way are finished first.`,
		Example: "  portico serve --data /var/lib/portico --listen 0.0.0.0:8010 --public-url https://portals.example.com",
	}
	addSettings(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error {
		config, _, err := p.config(c, nil)
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		log := p.log(slog.LevelInfo).With("node", config.NodeName())
		n, err := node.Open(config, node.Options{Log: log, Version: p.version})
		if err != nil {
			return err
		}
		defer n.Close()
		if err := p.greet(ctx, n); err != nil {
			return err
		}
		p.wait(ctx, stop, log)
		return nil
	}
	return c
}

// wait returns when the process is asked to end. Asked once more, it ends at
// once.
func (p *program) wait(ctx context.Context, stop func(), log *slog.Logger) {
	<-ctx.Done()
	stop()
	log.Info("ending: requests under way are finished first")
}

// greeting is what a start tells: no secret is in it.
type greeting struct {
	Message    string `json:"msg"`
	Version    string `json:"version"`
	URL        string `json:"url"`
	Data       string `json:"data"`
	Console    string `json:"console"`
	Reference  string `json:"reference"`
	Models     string `json:"llms"`
	Operations string `json:"operations,omitempty"`
	Mail       string `json:"mail"`
	Next       string `json:"next"`
}

func (p *program) greet(ctx context.Context, n *node.Node) error {
	missing, err := n.Control.NeedsSetup(ctx)
	if err != nil {
		return err
	}
	data, next, err := whereData(n.Config)
	if err != nil {
		return err
	}
	g := greeting{
		Message: "portico is ready", Version: p.version, URL: n.URL(), Data: data, Console: n.URL() + "/",
		Reference: n.URL() + "/docs", Models: n.URL() + "/llms.txt",
		Mail: mailGoes(n.Config, n.URL()), Next: "curl -s " + n.URL() + "/v1/status",
	}
	if n.Config.OpsListen != "" {
		g.Operations = "http://" + n.OpsAddr() + "/metrics"
	}
	if missing {
		g.Next = "portico setup-link" + next
	}
	if _, ok := terminal(p.stderr); !ok {
		return json.NewEncoder(p.stderr).Encode(g)
	}
	setup := ""
	if missing {
		if setup, err = n.Control.NewSetupLink(ctx); err != nil {
			return err
		}
	}
	p.present(n, g, setup)
	return nil
}

// present is the greeting for a person, in twelve lines at most. The link that
// makes the first administrator is told here and written nowhere.
func (p *program) present(n *node.Node, g greeting, setup string) {
	fmt.Fprintf(p.stderr, "Portico %s is ready at %s\n\n", g.Version, g.URL)
	if setup != "" {
		g.Next = "open the setup link; it works once, for 30 minutes"
	}
	for _, row := range [][2]string{
		{"Console", g.Console}, {"Setup link", setup}, {"Data", g.Data}, {"API reference", g.Reference}, {"For models", g.Models},
		{"Portals", n.Control.PortalURL(portico.Portal{APIName: "NAME"})}, {"Operations", g.Operations}, {"Mail", g.Mail}, {"Next", g.Next},
	} {
		if row[1] != "" {
			fmt.Fprintf(p.stderr, "  %-14s %s\n", row[0], row[1])
		}
	}
	fmt.Fprintln(p.stderr)
}

// whereData returns where the data is, and the flag with which a command that
// is typed next finds it.
func whereData(config node.Config) (data, flag string, err error) {
	if config.DatabaseURL != "" {
		return node.RedactURL(config.DatabaseURL), "", nil // from the environment, with its password
	}
	data, err = filepath.Abs(config.Data)
	return data, " --data " + shellWord(data), err
}

func mailGoes(config node.Config, url string) string {
	var goes []string
	if relay, err := config.Relay(); err == nil && relay != nil {
		goes = append(goes, "sent through "+relay.String()+" as from "+relay.From.Address)
	} else {
		goes = append(goes, "waits in the outbox: no PORTICO_SMTP_URL yet")
	}
	if config.DevMail {
		goes = append(goes, "read it at "+url+"/dev/mail")
	}
	return strings.Join(goes, "; ")
}

// shellWord returns a word as a shell reads it back.
func shellWord(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@%+,", r)
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
