package auth_test

import (
	"testing"
	"time"

	"portico/internal/auth"
	"portico/internal/keyring"
)

// TestIdentities: a statement is made once a second, and never kept longer.
func TestIdentities(t *testing.T) {
	t.Parallel()
	ring, _ := keyring.Generate()
	now := time.Unix(1_800_000_000, 0)
	ids := auth.NewIdentities(ring, func() time.Time { return now })
	who := auth.Identity{Audience: "https://acme.example.com", AccountID: "user_ada", Name: "Ada"}
	sign := func(who auth.Identity) string {
		token, err := ids.Sign(who)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	first := sign(who)
	now = now.Add(999 * time.Millisecond)
	if sign(who) != first {
		t.Error("two statements in a second")
	}
	other := who
	other.Name = "Eve"
	if sign(other) == first {
		t.Error("somebody else's statement")
	}
	now = now.Add(time.Millisecond)
	if sign(who) == first {
		t.Error("an old statement")
	}
}
