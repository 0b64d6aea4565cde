package auth

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"portico"
	"portico/internal/keyring"
)

// clock is a time that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

func newTestTokens(t testing.TB) (*AccessTokens, *clock) {
	t.Helper()
	c := &clock{now: time.Unix(1_800_000_000, 0)}
	return NewAccessTokens(testRing(t).Ed25519(keyring.LabelAccessTokens), c.Now, portico.NewIDSource(c.Now)), c
}

func issue(t testing.TB, tokens *AccessTokens) (string, AccessClaims) {
	t.Helper()
	token, claims, err := tokens.Issue("user_1", "org_1", "sess_1")
	if err != nil {
		t.Fatal(err)
	}
	return token, claims
}

func TestAccessTokens(t *testing.T) {
	t.Parallel()
	tokens, c := newTestTokens(t)
	token, claims := issue(t, tokens)
	want := AccessClaims{
		AccountID: "user_1", OrganizationID: "org_1", SessionID: "sess_1", TokenID: claims.TokenID,
		IssuedAt: c.now.UTC(), ExpiresAt: c.now.UTC().Add(15 * time.Minute),
	}
	if claims != want || !portico.ValidID(claims.TokenID, jtiPrefix) {
		t.Errorf("issued %+v", claims)
	}
	again, _ := issue(t, tokens)
	if again == token {
		t.Error("two tokens are one")
	}
	for range 2 { // verified, then remembered
		got, err := tokens.Parse(token)
		if err != nil || got != want {
			t.Errorf("got %+v, %v", got, err)
		}
	}

	// A client of another make reads it as any JWT.
	parsed, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return tokens.public, nil },
		jwt.WithTimeFunc(c.Now), jwt.WithAudience("portico-api"), jwt.WithExpirationRequired(), jwt.WithIssuedAt())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sub", "org", "sid", "exp", "iat", "jti", "aud"} {
		if parsed.Claims.(jwt.MapClaims)[name] == nil {
			t.Errorf("no claim %s", name)
		}
	}
}

func TestAccessTokenTimes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		after time.Duration
		ok    bool
	}{
		"at once":              {0, true},
		"just before the end":  {15*time.Minute - 1, true},
		"at the end":           {15 * time.Minute, false},
		"past the end":         {time.Hour, false},
		"ten years later":      {10 * 365 * 24 * time.Hour, false},
		"a clock 60 s behind":  {-60 * time.Second, true},
		"a clock 61 s behind":  {-61 * time.Second, false},
		"a clock an hour back": {-time.Hour, false},
	} {
		tokens, clock := newTestTokens(t)
		issued := clock.Now()
		token, _ := issue(t, tokens)
		check := func(how string) {
			clock.Set(issued.Add(c.after))
			if _, err := tokens.Parse(token); (err == nil) != c.ok {
				t.Errorf("%s, %s: %v", name, how, err)
			}
		}
		check("first use")
		clock.Set(issued)
		if _, err := tokens.Parse(token); err != nil {
			t.Fatal(err)
		}
		check("remembered")
	}
}

// sign returns a token with a header and claims of the test's choice and a good
// signature of the installation's key.
func sign(t testing.TB, tokens *AccessTokens, header, claims string) string {
	t.Helper()
	b64 := base64.RawURLEncoding
	text := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(claims))
	return text + "." + b64.EncodeToString(ed25519.Sign(tokens.key, []byte(text)))
}

func goodHeader(tokens *AccessTokens) string {
	return `{"alg":"EdDSA","kid":"` + tokens.kid + `","typ":"JWT"}`
}

const goodClaims = `{"sub":"user_1","org":"org_1","sid":"sess_1","jti":"jti_1","aud":"portico-api","iat":1800000000,"exp":1800000900}`

func TestAccessTokenHeaders(t *testing.T) {
	t.Parallel()
	tokens, _ := newTestTokens(t)
	if _, err := tokens.Parse(sign(t, tokens, goodHeader(tokens), goodClaims)); err != nil {
		t.Fatal(err)
	}
	kid := tokens.kid
	for _, header := range []string{
		`{"alg":"none","kid":"` + kid + `","typ":"JWT"}`,
		`{"alg":"HS256","kid":"` + kid + `","typ":"JWT"}`,
		`{"alg":"eddsa","kid":"` + kid + `","typ":"JWT"}`,
		`{"alg":"EdDSA","kid":"` + kid + `","typ":"at+jwt"}`,
		`{"alg":"EdDSA","kid":"` + kid + `"}`,
		`{"alg":"EdDSA","typ":"JWT"}`,
		`{"alg":"EdDSA","kid":"../../etc/passwd","typ":"JWT"}`,
		`{"alg":"EdDSA","kid":"' OR 1=1 --","typ":"JWT"}`,
		`{"alg":"EdDSA","kid":"https://evil.example/jwks","typ":"JWT"}`,
		`{"alg":"EdDSA","jku":"https://evil.example/","kid":"` + kid + `","typ":"JWT"}`,
		`{"alg":"EdDSA","x5u":"https://evil.example/","kid":"` + kid + `","typ":"JWT"}`,
		`{"alg":"EdDSA","jwk":{"kty":"OKP"},"kid":"` + kid + `","typ":"JWT"}`,
		`{"alg":"EdDSA","crit":["exp"],"kid":"` + kid + `","typ":"JWT"}`,
		`{"alg":"EdDSA","alg":"EdDSA","kid":"` + kid + `","typ":"JWT"}`,
		`{ "alg":"EdDSA","kid":"` + kid + `","typ":"JWT"}`,
		`{}`, `null`, `[]`, ``,
	} {
		checkRefused(t, tokens, "header "+header, sign(t, tokens, header, goodClaims))
	}
}

func TestAccessTokenClaims(t *testing.T) {
	t.Parallel()
	tokens, _ := newTestTokens(t)
	header := goodHeader(tokens)
	replace := func(old, text string) string { return strings.Replace(goodClaims, old, text, 1) }
	for name, claims := range map[string]string{
		"extra claim":       replace(`{`, `{"new":{"a":[1]},`),
		"nbf past":          replace(`{`, `{"nbf":1799999999,`),
		"nbf within skew":   replace(`{`, `{"nbf":1800000060,`),
		"white space":       replace(`{`, ` { `),
		"another claim set": replace(`user_1`, `user_2`),
	} {
		if _, err := tokens.Parse(sign(t, tokens, header, claims)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, claims := range map[string]string{
		"no sub":               replace(`"sub":"user_1",`, ``),
		"sub null":             replace(`"user_1"`, `null`),
		"sub number":           replace(`"user_1"`, `1`),
		"sub in capitals":      replace(`"sub"`, `"SUB"`),
		"sub twice":            replace(`{`, `{"sub":"user_2",`),
		"sub twice, escaped":   replace(`{`, `{"\u0073ub":"user_2",`),
		"exp twice":            replace(`{`, `{"exp":1900000000,`),
		"unknown twice":        replace(`{`, `{"x":1,"x":1,`),
		"no org":               replace(`"org":"org_1",`, ``),
		"no sid":               replace(`"sid":"sess_1",`, ``),
		"no jti":               replace(`"jti":"jti_1",`, ``),
		"no aud":               replace(`"aud":"portico-api",`, ``),
		"another aud":          replace(`portico-api`, `portico-guest`),
		"aud in a list":        replace(`"portico-api"`, `["portico-api"]`),
		"an iss":               replace(`{`, `{"iss":"https://evil.example",`),
		"no exp":               replace(`,"exp":1800000900`, ``),
		"exp a string":         replace(`1800000900`, `"1800000900"`),
		"exp a fraction":       replace(`1800000900`, `1800000900.5`),
		"exp past every range": replace(`1800000900`, `1e400`),
		"exp past":             replace(`1800000900`, `1800000000`),
		"no iat":               replace(`"iat":1800000000,`, ``),
		"iat in the future":    replace(`"iat":1800000000`, `"iat":1800000061`),
		"nbf in the future":    replace(`{`, `{"nbf":1800000061,`),
		"nbf a string":         replace(`{`, `{"nbf":"1",`),
		"null":                 `null`,
		"list":                 `[]`,
		"string":               `"x"`,
		"two objects":          goodClaims + goodClaims,
		"cut":                  goodClaims[:len(goodClaims)-1],
		"empty":                ``,
	} {
		checkRefused(t, tokens, name, sign(t, tokens, header, claims))
	}
}

func TestAccessTokenForms(t *testing.T) {
	t.Parallel()
	tokens, c := newTestTokens(t)
	good, _ := issue(t, tokens)
	parts := strings.Split(good, ".")
	_, foreign, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := issue(t, NewAccessTokens(foreign, c.Now, portico.NewIDSource(c.Now)))
	hs := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "user_1", "aud": "portico-api", "exp": 1_800_000_900})
	confused, err := hs.SignedString([]byte(tokens.public))
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Replace(goodClaims, "{", `{"x":"`+strings.Repeat("x", 4096)+`",`, 1)
	for name, token := range map[string]string{
		"empty":                        "",
		"a word":                       "token",
		"dots":                         "..",
		"ten thousand dots":            strings.Repeat(".", 10_000),
		"two parts":                    parts[0] + "." + parts[1],
		"four parts":                   good + ".x",
		"a dot more":                   good + ".",
		"no signature":                 parts[0] + "." + parts[1] + ".",
		"signature cut":                good[:len(good)-1],
		"signature longer":             good + "A",
		"another spelling":             good[:len(good)-1] + string(spare(good[len(good)-1])),
		"padded":                       good + "==",
		"line break":                   good[:len(good)-5] + "\n" + good[len(good)-5:],
		"line break in the claims":     parts[0] + "." + parts[1][:8] + "\r\n" + parts[1][8:] + "." + parts[2],
		"claims exchanged":             strings.Join([]string{parts[0], strings.Split(other, ".")[1], parts[2]}, "."),
		"another key":                  other,
		"header of ours, another key":  strings.Join([]string{parts[0], strings.Split(other, ".")[1], strings.Split(other, ".")[2]}, "."),
		"HMAC with the public key":     confused,
		"HMAC below our header":        parts[0] + strings.TrimPrefix(confused, strings.Split(confused, ".")[0]),
		"a megabyte":                   strings.Repeat("A", 1<<20) + good,
		"longer than allowed":          sign(t, tokens, goodHeader(tokens), long),
		"a header of a megabyte":       strings.Repeat("A", 1<<20) + "." + parts[1] + "." + parts[2],
		"standard alphabet, signature": parts[0] + "." + parts[1] + "." + strings.Repeat("+/", 43),
	} {
		checkRefused(t, tokens, name, token)
	}
}

// spare returns the character that differs from c only in the four bits that a
// signature's last character leaves over.
func spare(c byte) byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return alphabet[strings.IndexByte(alphabet, c)^1]
}

func checkRefused(t *testing.T, tokens *AccessTokens, name, token string) {
	t.Helper()
	claims, err := tokens.Parse(token)
	if claims != (AccessClaims{}) || portico.KindOf(err) != portico.KindUnauthorized || portico.MessageOf(err) != "Could not validate credentials" {
		t.Errorf("%s: %+v, %v", name, claims, err)
	}
	if _, cached := tokens.verified.get(sha256.Sum256([]byte(token))); cached && !strings.Contains(err.Error(), "expired") && !strings.Contains(err.Error(), "future") {
		t.Errorf("%s: remembered as verified", name)
	}
}

func TestAccessTokensRememberABoundedNumber(t *testing.T) {
	t.Parallel()
	tokens, _ := newTestTokens(t)
	tokens.verified = newRecent[[sha256.Size]byte, accessPayload](16)
	for range 100 {
		token, _ := issue(t, tokens)
		if _, err := tokens.Parse(token); err != nil {
			t.Fatal(err)
		}
		if n := tokens.verified.size(); n > 16 {
			t.Fatalf("remembers %d", n)
		}
	}
}

func TestAccessTokensAtOnce(t *testing.T) {
	t.Parallel()
	tokens, _ := newTestTokens(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			account := fmt.Sprint("user_", i)
			token, _, err := tokens.Issue(account, "org_1", "sess_1")
			if err != nil {
				t.Error(err)
				return
			}
			for range 50 {
				if claims, err := tokens.Parse(token); err != nil || claims.AccountID != account {
					t.Errorf("%s: %+v, %v", account, claims, err)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzAccessToken(f *testing.F) {
	tokens, _ := newTestTokens(f)
	good, _ := issue(f, tokens)
	f.Add(good)
	f.Add(sign(f, tokens, goodHeader(tokens), goodClaims))
	f.Add(good[:len(good)-1])
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		claims, err := tokens.Parse(token)
		if (err == nil) != (claims != AccessClaims{}) {
			t.Errorf("%q: %+v, %v", token, claims, err)
		}
	})
}

// FuzzAccessClaims holds the claims' parser against the standard library's:
// what it accepts has each claim once, by its exact name.
func FuzzAccessClaims(f *testing.F) {
	f.Add(goodClaims)
	f.Add(`{"sub":"a","sub":"b"}`)
	f.Add(`{"x":{"sub":"a"},"nbf":1}`)
	tokens, _ := newTestTokens(f)
	f.Fuzz(func(t *testing.T, claims string) {
		got, err := tokens.Parse(sign(t, tokens, goodHeader(tokens), claims))
		if err == nil && (got.AccountID == "" || got.ExpiresAt.Before(got.IssuedAt)) {
			t.Errorf("%q: %+v", claims, got)
		}
	})
}

func BenchmarkAccessTokenRemembered(b *testing.B) {
	tokens, _ := newTestTokens(b)
	token, _ := issue(b, tokens)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tokens.Parse(token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAccessTokenVerified(b *testing.B) {
	tokens, _ := newTestTokens(b)
	token, _ := issue(b, tokens)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tokens.authentic(token); err != nil {
			b.Fatal(err)
		}
	}
}
