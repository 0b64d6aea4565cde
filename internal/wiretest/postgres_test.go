package wiretest_test

import (
	"testing"

	"portico/internal/wiretest"
)

// TestPostgreSQL runs every test of this package again.
func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	wiretest.RunOnPostgreSQL(t, "-test.timeout=20m", "-test.shuffle=on")
}
