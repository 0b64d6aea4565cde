package attacks

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"portico/internal/auth"
	"portico/internal/control"
	"portico/internal/node"
	"portico/internal/wiretest"
)

func signIn() []attack {
	return []attack{
		{"A70 passwords", passwords},
		{"A71 a storm of sign-ins", storm},
		{"A72 guessing passwords", guessing},
		{"A73 access tokens that were not issued", accessTokens},
		{"A75 personal access tokens", personalTokens},
	}
}

// login sends the sign-in form.
func (a *arena) login(email, password string) wiretest.Answer {
	a.Helper()
	form := url.Values{"grant_type": {"password"}, "username": {email}, "password": {password}}
	return a.do("POST", "/v1/oauth2/login", "", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

// signIn signs a person in.
func (a *arena) signIn(p wiretest.Person) (s wiretest.Session) {
	a.Helper()
	a.legit(func() {
		answer := a.login(p.Email, p.Password)
		if answer.JSON(a, &s); answer.Status != http.StatusOK || s.Access == "" {
			a.Fatalf("no session: %d %s", answer.Status, answer.Body)
		}
	})
	return s
}

// session returns an access token.
func (a *arena) session(p wiretest.Person) string {
	a.Helper()
	return a.signIn(p).Access
}

func passwords(a *arena) {
	n := 0
	set := func(password string) (email string, err error) {
		n++
		email = fmt.Sprintf("password%d@example.com", n)
		if strings.Contains(password, "@example.com") {
			email = password
		}
		_, err = a.Node.Control.CreateAccount(context.Background(), control.AccountCreate{
			Email: email, Password: password, OrganizationID: a.Acme.ID, Role: "member",
		})
		return email, err
	}
	letters := make([]byte, 600)
	for i := range letters {
		letters[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[(i*i*7+i*11)%52]
	}
	text := string(letters)
	before := a.hasher.Count()
	for what, password := range map[string]string{
		"14 characters": "grey heron 1ky", "1,025 bytes": strings.Repeat(text, 2)[:1025], "a megabyte": strings.Repeat("x y", 1<<20/3), "NUL": "seven grey herons\x00 over Ostrava",
		"no UTF-8": "seven grey herons\xff over Ostrava", "the address": "somebody.known@example.com", "common": "password12345678", "a row": "qwertyuiopasdfghjkl", "one character": strings.Repeat("a", 40),
		"blanks": strings.Repeat(" ", 40), "a block again and again": strings.Repeat("abc1", 10), "common, dressed up": "P@ssw0rd!2024P@ssw0rd",
	} {
		if _, err := set(password); err == nil {
			a.Errorf("%s: taken", what)
		}
	}
	if hashed := a.hasher.Count() - before; hashed != 0 {
		a.Errorf("%d bad passwords were hashed", hashed)
	}
	composed, decomposed := "Zürich gré hérons übér Ostrava", "Zu\u0308rich gre\u0301 he\u0301rons u\u0308be\u0301r Ostrava"
	for what, p := range map[string]struct {
		password    string
		same, other string
	}{
		"15":                  {text[:15], text[:15], text[:14]},
		"64":                  {text[:64], text[:64], text[:63]},
		"200":                 {text[:200], text[:200], text[:199] + "!"},
		"1,024 bytes":         {strings.Repeat(text, 2)[:1024], strings.Repeat(text, 2)[:1024], strings.Repeat(text, 2)[:1023]},
		"Unicode":             {composed, decomposed, "Zurich gre herons uber Ostrava"},
		"blanks at both ends": {"  seven grey herons  ", "  seven grey herons  ", "seven grey herons"},
	} {
		var email string
		var err error
		a.legit(func() { email, err = set(p.password) })
		if err != nil {
			a.Errorf("%s: %v", what, err)
			continue
		}
		if got := a.login(email, p.other).Status; got != http.StatusUnauthorized {
			a.Errorf("%s: another password: %d", what, got)
		}
		a.legit(func() {
			if got := a.login(email, p.same).Status; got != http.StatusOK {
				a.Errorf("%s: the password: %d", what, got)
			}
		})
	}
	before = a.hasher.Count()
	for _, password := range []string{strings.Repeat("x", 1025), strings.Repeat("x", 1<<19), "a\x00b"} {
		if got := a.login(a.Admin.Email, password).Status; got != http.StatusUnauthorized {
			a.Errorf("a password of %d bytes: %d", len(password), got)
		}
	}
	if hashed := a.hasher.Count() - before; hashed != 0 {
		a.Errorf("%d passwords that nobody can have were hashed", hashed)
	}
}

// storm is the case's own server, with the cost of hashing in production.
func storm(a *arena) {
	hasher := auth.NewHasher(auth.HasherConfig{Queue: size(8, 0)}) // 0: as in production
	own := newArena(a.T, func(_ *node.Config, o *node.Options) { o.Hasher = hasher })
	base := own.begin()
	cores := runtime.GOMAXPROCS(0)
	resetPeak(a)
	start, hashed := resident(a), hasher.Count()
	most := own.watchHashes()
	healthy := own.keepAsking()
	var accepted, refused atomic.Int64
	var wg sync.WaitGroup
	began := make(chan struct{})
	for i := range size(200, 1000) {
		wg.Go(func() {
			<-began
			email := fmt.Sprintf("nobody%d@example.com", i)
			if i%10 == 0 {
				email = own.Owner.Email
			}
			answer := own.login(email, "wrong, and long enough")
			switch {
			case answer.Status == http.StatusUnauthorized:
				accepted.Add(1)
			case answer.Status == http.StatusTooManyRequests && answer.Header.Get("Retry-After") != "":
				refused.Add(1)
			default:
				own.Errorf("a sign-in in a storm: %d %s", answer.Status, answer.Body)
			}
		})
	}
	close(began)
	wg.Wait()
	healthy()
	if got := most(); got > cores || got == 0 {
		a.Errorf("%d hashes ran at once on %d cores", got, cores)
	}
	if done := hasher.Count() - hashed; done != accepted.Load() || refused.Load() == 0 {
		a.Errorf("%d answers 401, %d hashes, %d answers 429", accepted.Load(), done, refused.Load())
	}
	// The clients are in this process too: two ends of a connection each.
	if grown, room := resident(a)-start, int64(cores)*19<<20+32<<20+int64(size(200, 1000))<<16; grown > room && !raced {
		a.Errorf("memory grew by %d MiB, room was %d MiB", grown>>20, room>>20)
	}
	own.signIn(own.Owner)
	own.end(base)
	own.Node.Close()
}

// watchHashes looks how many hashes run at once, until it is asked.
func (a *arena) watchHashes() (most func() int) {
	quit, done := make(chan struct{}), make(chan int)
	go func() {
		found := 0
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-quit:
				done <- found
				return
			case <-ticker.C:
				found = max(found, running("argon2.IDKey"))
			}
		}
	}()
	return func() int { close(quit); return <-done }
}

// guessing is the case's own server, with the limits of production and a clock.
func guessing(a *arena) {
	clock := &wiretest.Clock{}
	own := newArena(a.T, clock.Setup, func(_ *node.Config, o *node.Options) { o.SignIns, o.Failures = auth.Rate{}, auth.Rate{} })
	base := own.begin()
	session := own.session(own.Owner)
	clock.Stop(time.Now().Add(2 * time.Minute))
	limited := func(answer wiretest.Answer) bool {
		return answer.Status == http.StatusTooManyRequests && answer.Header.Get("Retry-After") != ""
	}
	hashed := own.hasher.Count()
	for i := range 30 {
		// The victim's address is one account, however it is spelled.
		email := []string{own.Owner.Email, strings.ToUpper(own.Owner.Email), " " + own.Owner.Email, "Name <" + own.Owner.Email + ">"}[i%4]
		if answer := own.login(email, fmt.Sprint("guess number ", i)); limited(answer) != (i >= 10) {
			a.Errorf("guess %d: %d", i, answer.Status)
		}
	}
	if n := own.hasher.Count() - hashed; n != 10 {
		a.Errorf("%d guesses were compared, want 10", n)
	}
	if answer := own.login(own.Owner.Email, own.Owner.Password); !limited(answer) {
		a.Errorf("a right guess past the limit: %d", answer.Status)
	}
	own.expect(200, "GET", "/v1/auth/load", session, nil) // the victim works on
	own.expect(200, "GET", "/v1/auth/load", own.Owner.Token, nil)
	own.signIn(own.Admin) // others sign in
	clock.Move(time.Minute)
	own.signIn(own.Owner) // and the victim is not locked out
	// Spraying: one guess for each of many accounts, from one address.
	refused := 0
	for i := range 150 {
		if limited(own.login(fmt.Sprintf("spray%d@example.com", i), "Summer in the city 1")) {
			refused++
		}
	}
	if refused < 40 || refused > 60 {
		a.Errorf("%d of 150 sprayed guesses were limited", refused)
	}
	for i := range 5 {
		if answer := own.do("GET", "/v1/portal", fmt.Sprintf("portico_pat_guess%d", i), nil); !limited(answer) {
			a.Errorf("a guessed token past the limit: %d", answer.Status)
		}
		if answer := own.do("POST", "/v1/oauth2/refresh", "", `{"refresh_token":"portico_ref_guess"}`); !limited(answer) {
			a.Errorf("a guessed refresh token past the limit: %d", answer.Status)
		}
	}
	own.expect(200, "GET", "/v1/auth/load", own.Admin.Token, nil) // a good credential is never limited
	own.expect(200, "GET", "/v1/status", "", nil)
	clock.Move(time.Minute)
	own.signIn(own.Admin)
	own.end(base)
	own.Node.Close()
}

func personalTokens(a *arena) {
	portal := a.portalNamed("Keys")
	session := a.session(a.Admin)
	var made struct{ ID, Token string }
	a.legit(func() { a.expect(200, "POST", "/v1/auth/pats", session, `{"name":"key"}`).JSON(a, &made) })
	a.expect(200, "GET", "/v1/portal", made.Token, nil)
	shown := string(a.expect(200, "GET", "/v1/auth/pats", session, nil).Body)
	if strings.Contains(shown, made.Token[12:]) || !strings.Contains(shown, made.ID) {
		a.Errorf("shown again, or not at all: %s", shown)
	}
	bad := []string{"", "portico_pat_", "portico_pat_" + strings.Repeat("0", 49), made.Token + "0", strings.ToUpper(made.Token), strings.ToLower(made.Token), made.ID, "portico_ref_" + made.Token[12:], made.Token[12:], "Bearer " + made.Token, "portico_pat_' OR '1'='1"}
	for i := range made.Token { // a scan by prefix, and a slip at each place
		bad = append(bad, made.Token[:i], made.Token[:i]+other(made.Token[i])+made.Token[i+1:])
	}
	asked := a.asked.OfRequests()
	for _, token := range bad {
		a.expect(401, "GET", "/v1/portal", "x", nil, "Authorization", "Bearer "+token)
	}
	if n := a.asked.OfRequests() - asked; n > 1 {
		a.Errorf("%d guesses cost %d statements", len(bad), n)
	}
	for _, path := range []string{"?token=", "?access_token=", "?api_key=", "?authorization=Bearer%20"} {
		a.expect(401, "GET", "/v1/portal"+path+made.Token, "", nil)
	}
	for _, header := range []string{"X-Api-Key", "Api-Key", "Token", "Proxy-Authorization", "X-Authorization", "Cookie"} {
		a.expect(401, "GET", "/v1/portal", "", nil, header, made.Token)
	}
	for _, scheme := range []string{"Basic ", "Token ", "", "Bearer:", "Digest "} {
		a.expect(401, "GET", "/v1/portal", "", nil, "Authorization", scheme+made.Token)
	}
	a.expect(404, "GET", "/v1/portal/"+portal, a.OtherAdmin.Token, nil)
	a.expect(404, "DELETE", "/v1/auth/pats/"+made.ID, a.session(a.OtherAdmin), nil)
	a.expect(404, "DELETE", "/v1/auth/pats/"+made.ID, a.session(a.Owner), nil)
	a.expect(403, "POST", "/v1/auth/pats", made.Token, `{"name":"a key of a key"}`)
	a.expect(403, "POST", "/v1/auth/switch", made.Token, map[string]string{"id": a.Acme.ID})
	a.legit(func() { a.expect(200, "DELETE", "/v1/auth/pats/"+made.ID, session, nil) })
	a.expect(401, "GET", "/v1/portal", made.Token, nil)
}

// other returns another character of the same alphabet.
func other(c byte) string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for {
		if o := alphabet[rand.IntN(len(alphabet))]; o != c {
			return string(o)
		}
	}
}
