package wiretest

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
)

type wireCase struct {
	Group           string            `json:"group"`
	Name            string            `json:"name"`
	Method          string            `json:"method"`
	Path            string            `json:"path"`
	Headers         map[string]string `json:"headers"`
	Body            *string           `json:"body"`
	BodyBase64      *string           `json:"body_base64"`
	Status          int               `json:"status"`
	ResponseHeaders map[string]string `json:"response_headers"`
	Compare         string            `json:"compare"`
	Response        json.RawMessage   `json:"response"`
}

func readCases(t *testing.T) []wireCase {
	t.Helper()
	f, err := os.Open("testdata/wire-cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var cases []wireCase
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c wireCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	return cases
}

// TestWire sends every recorded request to a real server and holds its answer
// against the recorded one.
func TestWire(t *testing.T) {
	t.Parallel()
	w := Start(t)
	portal := w.Portal("Wire")
	names := strings.NewReplacer("{ADMIN}", w.Admin.Token, "{MEMBER}", w.Member.Token, "{BAD}", "bad", "{PORTAL}", portal)
	cases := readCases(t)
	if len(cases) < 187 {
		t.Fatalf("%d cases, want at least 187", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Group+"/"+c.Name, func(t *testing.T) {
			t.Parallel()
			answer := c.send(t, w, names)
			if answer.Status != c.Status {
				t.Fatalf("status %d, want %d: %s", answer.Status, c.Status, answer.Body)
			}
			c.compare(t, answer)
		})
	}
}

func (c wireCase) send(t *testing.T, w *World, names *strings.Replacer) Answer {
	t.Helper()
	var body []byte
	switch {
	case c.Body != nil:
		body = []byte(*c.Body)
	case c.BodyBase64 != nil:
		var err error
		if body, err = base64.StdEncoding.DecodeString(*c.BodyBase64); err != nil {
			t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), c.Method, w.URL+names.Replace(c.Path), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range c.Headers {
		r.Header.Set(name, names.Replace(value))
	}
	response, err := w.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return Answer{response.StatusCode, response.Header, raw}
}

func (c wireCase) compare(t *testing.T, got Answer) {
	t.Helper()
	switch c.Compare {
	case "exact":
		for name, want := range c.ResponseHeaders {
			if have := got.Header.Get(name); have != want {
				t.Errorf("header %s is %q, want %q", name, have, want)
			}
		}
		if have, want := exact(t, got.Body), exact(t, c.Response); !reflect.DeepEqual(have, want) {
			t.Errorf("body\n%s\nwant\n%s", got.Body, c.Response)
		}
	case "shape":
		if have, want := shape(t, got.Body), shape(t, c.Response); !reflect.DeepEqual(have, want) {
			t.Errorf("shape of\n%s\nwant that of\n%s", got.Body, c.Response)
		}
	case "status":
	default:
		t.Errorf("unknown comparison %q", c.Compare)
	}
}

// exact decodes JSON with its numbers as they were written.
func exact(t *testing.T, raw []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %q", err, raw)
	}
	return v
}

// shape returns type and location of each error; of json_invalid only the first
// element of the location.
func shape(t *testing.T, raw []byte) []any {
	t.Helper()
	var body struct {
		Detail json.RawMessage `json:"detail"`
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		t.Fatalf("%v in %q", err, raw)
	}
	var errors []struct {
		Type string `json:"type"`
		Loc  []any  `json:"loc"`
	}
	if json.Unmarshal(body.Detail, &errors) != nil {
		return []any{"text"}
	}
	var all []any
	for _, e := range errors {
		if e.Type == "json_invalid" {
			e.Loc = e.Loc[:1]
		}
		all = append(all, e.Type, e.Loc)
	}
	return all
}
