package postgres

import (
	"fmt"
	"time"

	"portico"
	"portico/internal/store"
)

// markerForm is the comment on a database that is finished: whose it is, so
// that a listing need not connect to each, and when it was made.
const markerForm = "portico portal=%s generation=%d epoch=%s made=%s"

func marker(id store.Identity, made time.Time) string {
	return fmt.Sprintf(markerForm, id.PortalID, id.Generation, id.Epoch, made.UTC().Format(time.RFC3339))
}

// parseMarker reads what marker wrote.
func parseMarker(text string) (id store.Identity, made time.Time, ok bool) {
	var at string
	if _, err := fmt.Sscanf(text, markerForm, &id.PortalID, &id.Generation, &id.Epoch, &at); err != nil {
		return store.Identity{}, time.Time{}, false
	}
	made, err := time.Parse(time.RFC3339, at)
	if err != nil || !ours(id) || marker(id, made) != text {
		return store.Identity{}, time.Time{}, false
	}
	return id, made, true
}

// ours reports whether an identity can be one that Create was given.
func ours(id store.Identity) bool {
	return portico.ValidID(id.PortalID, portico.PrefixPortal) && id.Generation > 0 && id.Epoch != ""
}

// placeOf returns where the database of an identity is.
func placeOf(id store.Identity) (store.Place, error) {
	if !ours(id) {
		return store.Place{}, fmt.Errorf("postgres: %+v is no identity of a portal's database", id)
	}
	return id.Place(), nil
}

// checkName refuses every name that is not one of a portal's database.
func checkName(name string) error {
	if _, _, ok := portico.ParseDatabaseName(name); !ok {
		return fmt.Errorf("postgres: %q is no name of a portal's database", name)
	}
	return nil
}

// appRole returns the name of the role of the app in a portal's database.
func appRole(database string) string { return database + appRoleEnd }

const appRoleEnd = "_app"
