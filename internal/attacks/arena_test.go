package attacks

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portico/internal/auth"
	"portico/internal/node"
	"portico/internal/wiretest"
)

// arena is one case on a running server.
type arena struct {
	*testing.T
	*wiretest.World

	log    *journal
	asked  *wiretest.Statements
	hasher *auth.Hasher
	client *http.Client
	before state

	refusals      atomic.Int64 // answers 403 to known callers
	refusedBefore int
	complaints    atomic.Int64
}

// journal is the server's log, kept for the search for secrets.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) take() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	defer j.text.Reset()
	return j.text.String()
}

// cheap is a cost of hashing for cases that are not about it.
func cheap() auth.Cost { return auth.Cost{Time: 1, MemoryKiB: 64, Threads: 1} }

// newArena starts a server with people in it, watched on every side.
func newArena(t *testing.T, setups ...wiretest.Setup) *arena {
	t.Helper()
	a := &arena{T: t, log: &journal{}, asked: &wiretest.Statements{}, hasher: auth.NewHasher(auth.HasherConfig{Cost: cheap()})}
	a.client = wiretest.NewClient(t)
	a.World = wiretest.Start(t, append([]wiretest.Setup{a.watch}, setups...)...)
	return a
}

func (a *arena) watch(c *node.Config, o *node.Options) {
	o.Log = slog.New(slog.NewTextHandler(a.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o.Hasher = a.hasher
	a.asked.Setup(c, o)
}

// in returns the arena for a case of its own.
func (a *arena) in(t *testing.T) *arena {
	t.Helper()
	world := *a.World
	world.T = t
	return &arena{T: t, World: &world, log: a.log, asked: a.asked, hasher: a.hasher, client: wiretest.NewClient(t)}
}

// do sends a request over the case's own connections.
func (a *arena) do(method, path, token string, body any, headers ...string) wiretest.Answer {
	a.Helper()
	answer, err := wiretest.Send(a.client, a.URL, method, path, token, body, headers...)
	if err != nil {
		a.Fatal(err)
	}
	a.judge(answer)
	return answer
}

var echo = regexp.MustCompile(`"input":"(\\\\.|[^"\\\\])*"`)

// judge looks at what every answer must have.
func (a *arena) judge(answer wiretest.Answer) {
	a.Helper()
	if answer.Status == http.StatusForbidden {
		a.refusals.Add(1)
	}
	var body struct {
		Detail any `json:"detail"`
	}
	page := strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html")                                     // a guest's
	told := answer.Status >= 400 && !page && (len(answer.Body) > 0 || answer.Header.Get("Content-Length") == "0") // HEAD is told nothing
	if answer.Header.Get("X-Request-Id") == "" || told && (json.Unmarshal(answer.Body, &body) != nil || body.Detail == nil) {
		a.Errorf("an answer %d without an id or a detail: %v %.300s", answer.Status, answer.Header, answer.Body)
	}
	a.harmless(answer)
}

// harmless fails for an answer that tells about the inside.
func (a *arena) harmless(answer wiretest.Answer) {
	a.Helper()
	if answer.Status < 400 {
		return
	}
	if answer.Status == http.StatusUnprocessableEntity { // it echoes what was sent
		answer.Body = echo.ReplaceAll(answer.Body, nil)
	}
	if word := inside(answer, a.Dir); word != "" {
		a.Errorf("an answer %d tells about the inside (%q): %v %s", answer.Status, word, answer.Header, answer.Body)
	}
}

// inside returns what an answer tells about the inside; empty: nothing.
func inside(answer wiretest.Answer, dir string) string {
	for _, word := range []string{
		"goroutine ", ".go:", "SELECT ", "INSERT ", "sqlite", "SQLITE", "/internal/", "runtime error", "registry.db", dir, "panic",
	} {
		if bytes.Contains(answer.Body, []byte(word)) {
			return word
		}
	}
	for _, name := range []string{"Server", "X-Powered-By", "Via"} {
		if answer.Header.Get(name) != "" {
			return name
		}
	}
	return ""
}

// expect is do with the status that is due.
func (a *arena) expect(status int, method, path, token string, body any, headers ...string) wiretest.Answer {
	a.Helper()
	answer := a.do(method, path, token, body, headers...)
	if answer.Status != status {
		shown := fmt.Sprint(body)
		a.Errorf("%s %.200s %.200s: status %d, want %d: %.300s", method, path, shown, answer.Status, status, answer.Body)
	}
	return answer
}

// legit runs what anybody may do: it may leave traces. What came before it may
// not have.
func (a *arena) legit(fn func()) {
	a.Helper()
	a.noTrace()
	fn()
	a.before = a.snapshot()
}

// noTrace fails for everything that is there and was not at the last legit.
func (a *arena) noTrace() {
	a.Helper()
	for _, trace := range traces(a.before, a.snapshot()) {
		a.Errorf("a trace: %.400s", trace)
	}
}

// begin takes the state that the oracle compares with.
func (a *arena) begin() base {
	a.before = a.snapshot()
	a.refusedBefore = a.before.refusals()
	return a.base()
}

// end is the oracle: nothing was left behind that the case's legitimate
// requests do not explain, and the server is well.
func (a *arena) end(b base) {
	a.Helper()
	a.noTrace()
	a.quiet()
	a.expect(http.StatusOK, "GET", "/v1/status", "", nil)
	met, recorded := int(a.refusals.Load()), 0
	if !within(patience, func() bool {
		recorded = a.snapshot().refusals() - a.refusedBefore
		return recorded >= min(met, refusalsKept)
	}) || recorded > met {
		a.Errorf("%d answers 403 to known callers, %d of them recorded", met, recorded)
	}
	a.backToBase(b)
}

// refusalsKept is how many refusals the server keeps while none is written.
const refusalsKept = 256

// secrets are everybody's passwords and tokens.
func (a *arena) secrets() []string {
	all := []string{wiretest.Password}
	for _, p := range []wiretest.Person{a.Admin, a.Owner, a.Member, a.OtherAdmin, a.SandboxAdmin, a.Insider} {
		all = append(all, p.Token)
	}
	return all
}

// quiet fails when a handler panicked or a secret is in the log.
func (a *arena) quiet() {
	a.Helper()
	if leak := a.leaks(a.log.take()); leak != "" {
		a.Errorf("the log holds what it must not: %s", leak)
	}
}

// leaks returns the place in a log that holds what it must not; empty: none.
func (a *arena) leaks(log string) string {
	for _, word := range append(a.secrets(), "a handler panicked", "http: panic") {
		if at := strings.Index(log, word); at >= 0 {
			return log[max(0, at-200):min(len(log), at+2000)]
		}
	}
	return ""
}

// portalNamed creates a portal of Acme.
func (a *arena) portalNamed(name string) (id string) {
	a.Helper()
	a.legit(func() { id = a.expect(201, "POST", "/v1/portal", a.Admin.Token, map[string]string{"name": name}).ID(a) })
	return id
}

// dial connects to the public listener.
func (a *arena) dial() net.Conn {
	a.Helper()
	c, err := (&net.Dialer{}).DialContext(a.Context(), "tcp", a.Node.Addr())
	if err != nil {
		a.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return c
}

// raw sends bytes over a connection of their own and returns the answers that
// came before the server closed it, or before as many as wanted came.
func (a *arena) raw(text string, most int) (answers []wiretest.Answer, closed bool) {
	a.Helper()
	c := a.dial()
	defer c.Close()
	go func() { _, _ = io.WriteString(c, text) }()
	from := bufio.NewReader(c)
	for len(answers) < most {
		response, err := http.ReadResponse(from, nil)
		if err != nil {
			return answers, true
		}
		body, err := io.ReadAll(response.Body)
		answer := wiretest.Answer{Status: response.StatusCode, Header: response.Header, Body: body}
		answers = append(answers, answer)
		a.judge(answer)
		if err != nil || response.Close {
			_, err := from.ReadByte()
			return answers, err != nil
		}
	}
	return answers, false
}

// request returns a raw request with a credential.
func (a *arena) request(method, target, body string, headers ...string) string {
	head := method + " " + target + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + a.Admin.Token + "\r\n"
	if body != "" {
		head += fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	return head + strings.Join(append(headers, "", body), "\r\n")
}

// fieldErrors checks the form of an answer 422 and returns types and places.
func (a *arena) fieldErrors(answer wiretest.Answer) (all []string) {
	a.Helper()
	var body struct {
		Detail []struct {
			Type string            `json:"type"`
			Loc  []any             `json:"loc"`
			Msg  string            `json:"msg"`
			_    map[string]string `json:"-"`
		} `json:"detail"`
	}
	if err := json.Unmarshal(answer.Body, &body); err != nil || len(body.Detail) == 0 {
		a.Errorf("no list of field errors: %.300s", answer.Body)
	}
	for _, e := range body.Detail {
		if e.Type == "" || e.Msg == "" || len(e.Loc) == 0 {
			a.Errorf("a field error lacks something: %.300s", answer.Body)
		}
		all = append(all, fmt.Sprint(e.Type, " ", e.Loc))
	}
	return all
}
