package node

import (
	"path/filepath"

	"portico"
)

// registryFile is the registry's file in a data folder.
const registryFile = "registry.db"

// CheckData refuses a folder that holds no installation. A registry in
// PostgreSQL says itself whether it is there.
func CheckData(config Config) error {
	if config.DatabaseURL != "" || exists(filepath.Join(config.Data, registryFile)) {
		return nil
	}
	return portico.Errorf(portico.KindNotFound,
		"There is no data in %s. Name the folder with --data or PORTICO_DATA, or begin with 'portico serve'.", config.Data)
}

// restoringFile stands in a data folder while everything is restored into it.
const restoringFile = "restore.incomplete"

// checkRestored refuses a data folder whose restore did not come to its end.
func checkRestored(data string) error {
	if !exists(filepath.Join(data, restoringFile)) {
		return nil
	}
	return portico.Errorf(portico.KindConflict,
		"A restore into %s did not come to its end. Empty the folder (keep %s) and run 'portico restore' again.", data, SecretFile)
}
