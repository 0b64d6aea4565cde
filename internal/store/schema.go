package store

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

//go:embed schema
var schemaFiles embed.FS

// Migration is one numbered step of a schema: its version and its SQL text.
type Migration struct {
	Version int
	SQL     string
}

// RegistryMigrations returns the steps of the registry's schema in order; step
// n has version n.
func RegistryMigrations() ([]Migration, error) { return migrations("schema/registry") }

// PortalMigrations returns the steps of a portal database's schema in order.
func PortalMigrations() ([]Migration, error) { return migrations("schema/portal") }

func migrations(dir string) ([]Migration, error) {
	names, err := fs.Glob(schemaFiles, path.Join(dir, "*.sql"))
	if err != nil {
		return nil, err
	}
	steps := make([]Migration, 0, len(names))
	for i, name := range names {
		if want := fmt.Sprintf("%04d_", i+1); !strings.HasPrefix(path.Base(name), want) {
			return nil, fmt.Errorf("store: schema file %s is out of order: want %s", name, want)
		}
		text, err := schemaFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		steps = append(steps, Migration{Version: i + 1, SQL: string(text)})
	}
	return steps, nil
}
