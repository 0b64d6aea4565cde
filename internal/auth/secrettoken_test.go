package auth

import (
	"strings"
	"testing"

	"portico"
)

func TestSecretTokens(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, kind := range []SecretKind{PersonalToken, RefreshToken, SetupToken} {
		for range 200 {
			token, hash := kind.New()
			if seen[token] || seen[hash] {
				t.Fatal("a token came twice")
			}
			seen[token], seen[hash] = true, true
			if !kind.Owns(token) || len(token) != len(kind)+49 {
				t.Errorf("%q has another form", token)
			}
			if len(hash) != 64 || strings.Contains(hash, token) {
				t.Errorf("hash %q", hash)
			}
			got, err := kind.Hash(token)
			if err != nil || !SameHash(got, hash) {
				t.Errorf("%q: hash %q, %v", token, got, err)
			}
		}
	}
	if SameHash("a", "b") || SameHash("a", "") || !SameHash("a", "a") {
		t.Error("hashes are compared wrongly")
	}
}

func TestSecretTokensUseTheirWholeAlphabet(t *testing.T) {
	t.Parallel()
	count := map[rune]int{}
	const tokens = 500
	for range tokens {
		token, _ := PersonalToken.New()
		for _, c := range token[len(PersonalToken) : len(PersonalToken)+secretChars] {
			count[c]++
		}
	}
	mean := tokens * secretChars / len(tokenAlphabet)
	for _, c := range tokenAlphabet {
		if n := count[c]; n < mean/2 || n > mean*2 {
			t.Errorf("%q comes %d times, on average %d", c, n, mean)
		}
	}
}

func TestMalformedSecretTokens(t *testing.T) {
	t.Parallel()
	good, _ := PersonalToken.New()
	other, _ := RefreshToken.New()
	odd := appendChecksum([]byte(string(PersonalToken) + strings.Repeat("-", secretChars)))
	cases := map[string]string{
		"empty":            "",
		"prefix":           string(PersonalToken),
		"another kind":     other,
		"kind exchanged":   string(PersonalToken) + other[len(RefreshToken):],
		"cut":              good[:len(good)-1],
		"longer":           good + "0",
		"space":            " " + good[:len(good)-1],
		"line break":       good[:len(good)-1] + "\n",
		"upper case":       strings.ToUpper(good),
		"another alphabet": string(odd),
		"a megabyte":       good + strings.Repeat("x", 1<<20),
	}
	for i := len(PersonalToken); i < len(good); i++ {
		edited := []byte(good)
		edited[i] = tokenAlphabet[(strings.IndexByte(tokenAlphabet, good[i])+1)%62]
		cases["edited at "+good[:i]] = string(edited)
	}
	for name, token := range cases {
		hash, err := PersonalToken.Hash(token)
		if hash != "" || portico.KindOf(err) != portico.KindUnauthorized || portico.MessageOf(err) != "Could not validate credentials" {
			t.Errorf("%s: %q, %v", name, hash, err)
		}
	}
}

func FuzzPersonalToken(f *testing.F) {
	good, _ := PersonalToken.New()
	f.Add(good)
	f.Add(string(PersonalToken))
	f.Fuzz(func(t *testing.T, token string) {
		hash, err := PersonalToken.Hash(token)
		if (err == nil) != (hash != "") {
			t.Errorf("%q: %q, %v", token, hash, err)
		}
		if err == nil && (len(token) != len(good) || !PersonalToken.Owns(token)) {
			t.Errorf("%q: accepted", token)
		}
	})
}
