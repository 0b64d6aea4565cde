package attacks

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	"portico/internal/keyring"
)

// forge makes tokens from the parts of a good one, signed with the key itself
// where the case is not about the signature.
type forge struct {
	head, claims map[string]any
	key          ed25519.PrivateKey
}

func encode(v any) string {
	text, ok := v.(string)
	if !ok {
		raw, err := json.Marshal(v)
		if err != nil {
			return err.Error()
		}
		text = string(raw)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

func (f forge) signed(head, claims any) string {
	body := encode(head) + "." + encode(claims)
	return body + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(f.key, []byte(body)))
}

// changed returns a copy of m with some fields set; nil leaves one out.
func changed(m map[string]any, pairs ...any) map[string]any {
	out := maps.Clone(m)
	for i := 0; i < len(pairs); i += 2 {
		if out[pairs[i].(string)] = pairs[i+1]; pairs[i+1] == nil {
			delete(out, pairs[i].(string))
		}
	}
	return out
}

func accessTokens(a *arena) {
	var fetched atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { fetched.Add(1) }))
	defer elsewhere.Close()
	good := a.session(a.Admin)
	parts := strings.Split(good, ".")
	f := forge{key: a.Node.Ring.Ed25519(keyring.LabelAccessTokens)}
	for i, into := range []*map[string]any{&f.head, &f.claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			a.Fatal(err)
		}
		d := json.NewDecoder(strings.NewReader(string(raw)))
		d.UseNumber()
		if err := d.Decode(into); err != nil {
			a.Fatal(err)
		}
	}
	// The forge works: a token of its own that says the same is good.
	a.expect(200, "GET", "/v1/auth/load", f.signed(f.head, f.claims), nil)
	bad := f.badHeads(elsewhere.URL)
	maps.Copy(bad, f.badClaims(a))
	maps.Copy(bad, f.badForms(good, parts))
	for what, token := range bad {
		answer := a.do("GET", "/v1/auth/load", token, nil)
		if answer.Status != 401 && (answer.Status != 431 || len(token) < 30_000) {
			a.Errorf("%s: %d %.200s", what, answer.Status, answer.Body)
		}
	}
	if n := fetched.Load(); n != 0 {
		a.Errorf("%d fetches of what a token names", n)
	}
	a.legit(func() { a.expect(204, "POST", "/v1/auth/logout", good, nil) })
	a.expect(401, "GET", "/v1/auth/load", good, nil)
}

func (f forge) badHeads(elsewhere string) map[string]string {
	public, _ := f.key.Public().(ed25519.PublicKey)
	hs256 := func(head map[string]any, key []byte) string {
		body := encode(head) + "." + encode(f.claims)
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(body))
		return body + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	bad := map[string]string{
		"HS256 with the public key":         hs256(changed(f.head, "alg", "HS256"), public),
		"HS256 with the public key encoded": hs256(changed(f.head, "alg", "HS256"), []byte(base64.RawURLEncoding.EncodeToString(public))),
		"HS256 with no key":                 hs256(changed(f.head, "alg", "HS256"), nil),
		"HS256 under the name of EdDSA":     hs256(f.head, public),
		"an empty head":                     f.signed("{}", f.claims),
		"a key of its own":                  f.signed(changed(f.head, "jwk", map[string]string{"kty": "OKP", "crv": "Ed25519", "x": base64.RawURLEncoding.EncodeToString(public)}), f.claims),
		"a critical extension":              f.signed(changed(f.head, "crit", []string{"exp"}), f.claims),
		"an unencoded payload":              f.signed(changed(f.head, "b64", false), f.claims),
		"a compressed payload":              f.signed(changed(f.head, "zip", "DEF"), f.claims),
		"alg twice":                         f.signed(`{"alg":"none","alg":"EdDSA","kid":"`+f.head["kid"].(string)+`","typ":"JWT"}`, f.claims),
		"a head with blanks":                f.signed(`{"alg": "EdDSA","kid":"`+f.head["kid"].(string)+`","typ":"JWT"}`, f.claims),
		"another key":                       forge{key: ed25519.NewKeyFromSeed(make([]byte, 32))}.signed(f.head, f.claims),
		"a head of a megabyte":              encode(strings.Repeat("x", 1<<20)) + "." + encode(f.claims) + ".x",
		"a head of 8 kB":                    f.signed(changed(f.head, "x", strings.Repeat("x", 8<<10)), f.claims),
	}
	for _, alg := range []any{"none", "None", "nOnE", "", nil, "ES256", "RS256", "Ed25519", "eddsa", 0, []string{"EdDSA"}} {
		head := encode(changed(f.head, "alg", alg))
		bad["alg "+encode(alg)] = f.signed(changed(f.head, "alg", alg), f.claims)
		bad["alg unsigned "+encode(alg)] = head + "." + encode(f.claims) + "."
	}
	for _, kid := range []any{"../../secret.key", "/dev/null", "x' UNION SELECT 'key", elsewhere, "", nil, 7, []string{"a"}} {
		bad["kid "+encode(kid)] = f.signed(changed(f.head, "kid", kid), f.claims)
	}
	for _, name := range []string{"jku", "x5u", "x5c", "x5t"} {
		bad[name] = f.signed(changed(f.head, name, elsewhere+"/keys"), f.claims)
	}
	for _, typ := range []any{"at+jwt", "jwt", "JWE", "", nil, 1} {
		bad["typ "+encode(typ)] = f.signed(changed(f.head, "typ", typ), f.claims)
	}
	return bad
}

func (f forge) badClaims(a *arena) map[string]string {
	now := time.Now()
	bad := map[string]string{}
	for what, claims := range map[string]any{
		"no exp": changed(f.claims, "exp", nil), "exp zero": changed(f.claims, "exp", 0), "expired": changed(f.claims, "exp", now.Add(-time.Second).Unix(), "iat", now.Add(-time.Hour).Unix()),
		"exp as text": changed(f.claims, "exp", "9999999999"), "exp past all numbers": changed(f.claims, "exp", json.Number("1e400")), "exp negative": changed(f.claims, "exp", -1),
		"nbf in the future": changed(f.claims, "nbf", now.Add(time.Hour).Unix()), "iat in the future": changed(f.claims, "iat", now.Add(time.Hour).Unix(), "exp", now.Add(2*time.Hour).Unix()), "no iat": changed(f.claims, "iat", nil),
		"no aud": changed(f.claims, "aud", nil), "aud of a portal": changed(f.claims, "aud", "portico-portal:port_x"), "aud list": changed(f.claims, "aud", []string{"portico-api"}), "aud case": changed(f.claims, "aud", "Portico-API"),
		"an issuer": changed(f.claims, "iss", "https://evil.example"), "another account": changed(f.claims, "sub", a.Owner.ID), "another organization": changed(f.claims, "org", a.Other.ID), "the sandbox": changed(f.claims, "org", a.Sandbox.ID),
		"no sub": changed(f.claims, "sub", nil), "no org": changed(f.claims, "org", nil), "no session": changed(f.claims, "sid", nil), "unknown session": changed(f.claims, "sid", "sess_"+strings.Repeat("0", 26)), "no jti": changed(f.claims, "jti", nil),
		"a list": []any{f.claims}, "null": "null", "nothing": "", "text": `"x"`, "trailing": encode(f.claims) + "x",
	} {
		bad[what] = f.signed(f.head, claims)
	}
	text, err := json.Marshal(f.claims)
	if err != nil {
		a.Fatal(err)
	}
	whole := strings.TrimSuffix(string(text), "}")
	for _, claim := range []string{`"sub":"` + a.Owner.ID + `"`, `"org":"` + a.Other.ID + `"`, `"exp":9999999999`, `"aud":"portico-api"`} {
		bad["twice, last: "+claim] = f.signed(f.head, whole+","+claim+"}")
		bad["twice, first: "+claim] = f.signed(f.head, "{"+claim+","+strings.TrimPrefix(string(text), "{"))
	}
	return bad
}

func (f forge) badForms(good string, parts []string) map[string]string {
	bad := map[string]string{
		"10,000 dots": strings.Repeat(".", 10_000), "dots and more": good + strings.Repeat(".", 1000), "two parts": parts[0] + "." + parts[1], "no signature": parts[0] + "." + parts[1] + ".",
		"four parts": good + ".", "five parts, as of a JWE": strings.Join(append(parts, "a", "b"), "."), "another's payload": parts[0] + "." + encode(changed(f.claims, "org", "org_x")) + "." + parts[2],
		"padded": good + "=", "in another alphabet": parts[0] + "." + parts[1] + "." + strings.NewReplacer("-", "+", "_", "/").Replace(parts[2]) + "==", "JSON form": `{"payload":"` + parts[1] + `"}`,
	}
	for _, n := range []int{1, 2, 3, 10, 43, 85} {
		bad["cut by "+encode(n)] = good[:len(good)-n]
	}
	last := good[len(good)-1]
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		if byte(c) != last { // spare bits of the last character give no second spelling
			bad["ending in "+string(c)] = good[:len(good)-1] + string(c)
		}
	}
	return bad
}
