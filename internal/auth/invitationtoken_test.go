package auth

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"portico"
	"portico/internal/keyring"
)

// testRing returns the ring of a fixed secret: the bytes 0 to 31.
func testRing(t testing.TB) *keyring.Ring {
	t.Helper()
	ring, err := keyring.Parse("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

const (
	testPortal     = "port_0000000000000000000000000a"
	testInvitation = "inv_0000000000000000000000000b"
)

func TestInvitationToken(t *testing.T) {
	t.Parallel()
	mac := testRing(t).MAC(keyring.LabelInvitations)
	ids := portico.NewIDSource(func() time.Time { return time.Unix(1e9, 0) })
	seen := map[string]bool{}
	for _, generation := range []int{0, 1, 2, 255, 256, 1 << 20, 1<<31 - 1} {
		portal, invitation := ids.New(portico.PrefixPortal), ids.New(portico.PrefixInvitation)
		token := InvitationToken(mac, portal, invitation, generation)
		if token != InvitationToken(mac, portal, invitation, generation) {
			t.Error("the token is not a function of its ids")
		}
		if seen[token] || len(token) != 88 || strings.ContainsAny(token, "+/=") {
			t.Errorf("token %q", token)
		}
		seen[token] = true
		gotID, gotGeneration, err := ParseInvitationToken(mac, portal, token)
		if err != nil || gotID != invitation || gotGeneration != generation {
			t.Errorf("%s, %d: got %s, %d, %v", invitation, generation, gotID, gotGeneration, err)
		}
	}
}

func TestInvitationTokenRefuses(t *testing.T) {
	t.Parallel()
	ring := testRing(t)
	mac := ring.MAC(keyring.LabelInvitations)
	good := InvitationToken(mac, testPortal, testInvitation, 1)
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	recode := func(edit func(raw []byte) []byte) string {
		return base64.RawURLEncoding.EncodeToString(edit([]byte(string(raw))))
	}
	cases := map[string]string{
		"empty":               "",
		"another portal's":    InvitationToken(mac, "port_0000000000000000000000000c", testInvitation, 1),
		"another key's":       InvitationToken(ring.MAC(keyring.LabelForms), testPortal, testInvitation, 1),
		"no invitation's":     InvitationToken(mac, testPortal, "user_000000000000000000000000b", 1),
		"an id's of no shape": InvitationToken(mac, testPortal, "", 1),
		"cut":                 good[:len(good)-1],
		"cut by a group":      good[:len(good)-4],
		"longer":              good + "A",
		"padded":              good + "=",
		"line break inside":   good[:40] + "\n" + good[40:],
		"line break after":    good + "\r\n",
		"upper case":          strings.ToUpper(good),
		"next generation":     recode(func(b []byte) []byte { b[33]++; return b }),
		"a MAC only":          recode(func(b []byte) []byte { return b[34:] }),
		"a megabyte":          strings.Repeat(good, 12000),
	}
	for i := range raw {
		cases["bit "+string(rune('0'+i))] = recode(func(b []byte) []byte { b[i] ^= 1; return b })
	}
	for name, token := range cases {
		id, generation, err := ParseInvitationToken(mac, testPortal, token)
		if id != "" || generation != 0 || portico.KindOf(err) != portico.KindNotFound || portico.MessageOf(err) != "Not found" {
			t.Errorf("%s: %q, %d, %v", name, id, generation, err)
		}
	}
}

func FuzzParseInvitationToken(f *testing.F) {
	mac := testRing(f).MAC(keyring.LabelInvitations)
	f.Add(InvitationToken(mac, testPortal, testInvitation, 1))
	f.Add(InvitationToken(mac, testPortal, testInvitation, 2))
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		id, generation, err := ParseInvitationToken(mac, testPortal, token)
		if err == nil && InvitationToken(mac, testPortal, id, generation) != token {
			t.Errorf("%q: another spelling of %s, %d", token, id, generation)
		}
	})
}
