package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"portico/internal/store"
)

// migrate brings a portal's database to the newest schemas: ours by opening
// it, the app's by the steps that are configured. The lease on the portal is
// the caller's. It returns what is there then, also with an error.
func (l *Lifecycle) migrate(ctx context.Context, row store.PortalRow) (store.PortalSchema, error) {
	s := store.PortalSchema{PortalID: row.ID, Generation: row.Generation}
	handle, err := l.engine.Open(ctx, l.store.Identity(row))
	if err != nil {
		return s, err
	}
	defer handle.Release()
	s.Version = l.config.SchemaVersion
	if len(l.config.AppSteps) == 0 {
		return s, nil
	}
	err = l.store.Update(ctx, func(tx *store.Tx) error { return l.KeepAppSecret(tx, row.ID) })
	if err != nil {
		return s, err
	}
	// The password is read inside, but it changes under the lock of Admit only.
	var secret string
	_, err = handle.App().Admit(ctx, func() (_ string, err error) {
		secret, err = l.appSecret(ctx, row.ID)
		return secret, err
	}, false)
	if err == nil {
		s.AppVersion, err = handle.App().Migrate(ctx, secret, l.config.AppSteps)
	}
	return s, err
}

// furnish gives a new database the app's schema, where there is one.
func (l *Lifecycle) furnish(ctx context.Context, row store.PortalRow) (store.PortalSchema, error) {
	if len(l.config.AppSteps) > 0 {
		return l.migrate(ctx, row)
	}
	return store.PortalSchema{PortalID: row.ID, Generation: row.Generation, Version: l.config.SchemaVersion}, nil
}

// recordSchema notes, in a transaction, what a portal's database has come to.
func (l *Lifecycle) recordSchema(tx *store.Tx, s store.PortalSchema) error {
	if applied := min(s.AppVersion, len(l.config.AppSteps)); applied > 0 {
		if err := tx.RecordAppSteps(l.config.AppSteps[:applied]); err != nil {
			return err
		}
	}
	return tx.PutPortalSchema(s)
}

// notCreated is what a caller is told when a creation was given up: which step
// of the app's schema failed, if one did, and nothing of what the database said.
func notCreated(cause error) error {
	if step, ok := errors.AsType[*store.StepError](cause); ok {
		return busy(fmt.Sprintf("The portal could not be created: the step %s of the app's schema failed. The operator must mend it first.", step.Step))
	}
	return busy("The portal could not be created. Try again in a moment.")
}
