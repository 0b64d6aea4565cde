package mail_test

import (
	"testing"

	"portico/internal/wiretest"
)

// TestPostgreSQL runs the tests of sending again with the outbox in PostgreSQL,
// where several senders really work side by side.
func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	wiretest.RunOnPostgreSQL(t, "-test.timeout=10m", "-test.run=^(TestSendersShare|TestFair|TestUnsubscribed|TestHeaders)$")
}
