package e2e

import (
	"context"
	"go/format"
	"html"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	_ "github.com/oapi-codegen/runtime" // the client that the generator makes imports it
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
)

// fetch reads a path of the shared demonstration.
func fetch(t *testing.T, path string) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, shared.demo.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %v", path, answer.StatusCode, err)
	}
	return raw
}

// document keeps the OpenAPI document as a file.
func document(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "openapi.json")
	if err := os.WriteFile(path, fetch(t, "/openapi.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// command runs a program in a folder, with the demonstration's address and an
// administrator's token around it, and returns what it printed.
func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PORTICO_TOKEN="+shared.admin().Token, "PORTICO_URL="+shared.demo.URL)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestDocumentIsValid asks two validators that share no code.
func TestDocumentIsValid(t *testing.T) {
	t.Parallel()
	path := document(t)
	if version := command(t, "npm", "node", "validate.js", path); strings.TrimSpace(version) != "3.1" {
		t.Errorf("the first validator takes it for version %s", version)
	}
	parsed, err := libopenapi.NewDocument(fetch(t, "/openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	second, problems := validator.NewValidator(parsed)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if valid, problems := second.ValidateDocument(); !valid {
		for _, p := range problems {
			t.Errorf("%s: %s", p.Message, p.Reason)
		}
	}
	if parsed.GetVersion() != "3.1.0" {
		t.Errorf("version %s", parsed.GetVersion())
	}
}

// TestGoClient generates a client for Go and performs the six operations with it.
func TestGoClient(t *testing.T) {
	t.Parallel()
	if err := os.MkdirAll("testdata/goclient/api", 0o750); err != nil {
		t.Fatal(err)
	}
	command(t, ".", "go", "tool", "oapi-codegen", "-package", "api", "-generate", "models,client", "-o", "testdata/goclient/api/api.gen.go", document(t))
	command(t, ".", "go", "run", "./testdata/goclient", shared.demo.URL)
}

// TestTypeScriptClient generates a client for TypeScript, strictly checked, and
// performs the six operations with it.
func TestTypeScriptClient(t *testing.T) {
	t.Parallel()
	command(t, "npm", "node_modules/.bin/openapi-typescript", document(t), "-o", "client/api.d.ts")
	command(t, "npm", "node_modules/.bin/tsc", "-p", "client")
	command(t, "npm/client", "node", "out/main.js", shared.demo.URL)
}

// samples returns the samples of a kind on the page of the portal group, in the
// order of its operations.
func samples(t *testing.T, kind string) []string {
	t.Helper()
	var all []string
	for _, m := range regexp.MustCompile(`(?s)data-sample="`+kind+`"[^>]*>(.*?)</code>`).FindAllSubmatch(fetch(t, "/docs/portal"), -1) {
		all = append(all, html.UnescapeString(string(m[1])))
	}
	if len(all) < 8 {
		t.Fatalf("%d samples for %s", len(all), kind)
	}
	return all
}

// TestGoSamples compiles the samples of the reference.
func TestGoSamples(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("// Command samples is made from the reference.\npackage main\n\nimport (\n\t\"context\"\n\n\t\"portico/client\"\n)\n\nfunc main() {}\n")
	for i, sample := range samples(t, "Go") {
		name, _, assigned := strings.Cut(sample[strings.LastIndex(sample, "\n")+1:], ", err :=")
		if !assigned {
			name = "err"
		}
		b.WriteString("\nfunc sample" + string(rune('A'+i)) + "(ctx context.Context, c *client.Client) (any, error) {\n" + sample + "\nreturn " + name + ", err\n}\n")
	}
	if err := os.MkdirAll("testdata/samples", 0o750); err != nil {
		t.Fatal(err)
	}
	source, err := format.Source([]byte(b.String()))
	if err != nil {
		t.Fatalf("%v in\n%s", err, &b)
	}
	if err := os.WriteFile("testdata/samples/main.go", source, 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, ".", "go", "build", "-o", os.DevNull, "./testdata/samples")
}

// TestShellSamples runs the samples for the command line and for curl, one
// after the other, on a portal that the first of them makes.
func TestShellSamples(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	command(t, "..", "go", "build", "-o", filepath.Join(bin, "portico"), "./cmd/portico")
	portal := regexp.MustCompile(`port_[0-9a-z]{26}`)
	user := regexp.MustCompile(`user_[0-9a-z]{26}`)
	for _, kind := range []string{"Command line", "curl"} {
		var ids, guest string
		for _, sample := range samples(t, kind) {
			if ids != "" {
				sample = strings.ReplaceAll(sample, "PORTAL_ID", ids)
			}
			sample = strings.ReplaceAll(sample, "USER_ID", guest)
			if strings.Contains(sample, "database") || strings.Contains(sample, "invitations") {
				continue // the demonstration's databases are files; an invitation's id is not on the page
			}
			if strings.HasPrefix(sample, "portico portal delete") || strings.Contains(sample, "-X DELETE") && guest == "" {
				continue // the guests of the portal come after it on the page
			}
			out := command(t, ".", "bash", "-euc", "PATH="+bin+":$PATH\n"+sample)
			if ids == "" {
				ids = portal.FindString(out)
			}
			if found := user.FindAllString(out, -1); strings.Contains(sample, "users") || strings.Contains(sample, "guest list") {
				if len(found) > 0 {
					guest = found[0]
				}
			}
			if strings.Contains(out, `"detail":"`) || strings.Contains(out, `"detail":[`) {
				t.Errorf("%s\nsays %s", sample, out)
			}
		}
		if ids == "" || guest == "" {
			t.Errorf("%s: portal %q, guest %q", kind, ids, guest)
		}
	}
}
