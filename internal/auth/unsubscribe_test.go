package auth

import (
	"strings"
	"testing"

	"portico"
	"portico/internal/keyring"
)

func TestUnsubscribeToken(t *testing.T) {
	t.Parallel()
	ring, _ := keyring.Generate()
	other, _ := keyring.Generate()
	token := UnsubscribeToken(ring, "ada@example.com")
	if key, err := ReadUnsubscribe(ring, token); err != nil || key != "ada@example.com" {
		t.Errorf("read %q, %v", key, err)
	}
	if strings.Contains(token, "ada") || strings.Contains(token, "YWRh") {
		t.Errorf("%s shows the address", token)
	}
	for name, bad := range map[string]string{
		"empty": "", "cut": token[:len(token)-1], "longer": token + "A", "edited": "B" + token[1:], "a line break": token[:9] + "\n" + token[9:],
		"padded": token + "=", "another secret's": UnsubscribeToken(other, "ada@example.com"), "huge": strings.Repeat("A", 1<<20),
	} {
		if key, err := ReadUnsubscribe(ring, bad); portico.KindOf(err) != portico.KindNotFound {
			t.Errorf("%s: %q, %v", name, key, err)
		}
	}
}

func FuzzReadUnsubscribe(f *testing.F) {
	ring, _ := keyring.Generate()
	f.Add(UnsubscribeToken(ring, "ada@example.com"))
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		if key, err := ReadUnsubscribe(ring, token); err == nil && key != "ada@example.com" {
			t.Errorf("%q reads as %q", token, key)
		}
	})
}
