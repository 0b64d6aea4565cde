package schema

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// readLines calls each with every line of a file of JSON lines.
func readLines[T any](t testing.TB, path string, each func(line int, row T)) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<22)
	n := 0
	for lines.Scan() {
		n++
		var row T
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatalf("%s:%d: %v", path, n, err)
		}
		each(n, row)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		t.Fatalf("%s is empty", path)
	}
}

// syntaxRow is a body, a character for each byte, and what CPython's json.loads
// makes of it. refused marks what is JSON there and not here.
type syntaxRow struct {
	Body       string
	Value      string
	Msg        string
	Pos        int
	Unreadable bool
	Refused    bool
}

func latin1(s string) []byte {
	var b []byte
	for _, r := range s {
		b = append(b, byte(r))
	}
	return b
}

func TestParseAsPython(t *testing.T) {
	t.Parallel()
	path := "testdata/syntax.jsonl"
	if other := os.Getenv("SCHEMA_SYNTAX"); other != "" {
		path = other
	}
	readLines(t, path, func(line int, row syntaxRow) {
		body := latin1(row.Body)
		doc, err := Parse(body)
		errs, _ := errors.AsType[Errors](err)
		switch {
		case row.Unreadable:
			if !errors.Is(err, ErrUnreadable) {
				t.Errorf("line %d: Parse(%q) = %v, want ErrUnreadable", line, body, err)
			}
		case row.Refused:
			if len(errs) != 1 || errs[0].Type != "json_invalid" {
				t.Errorf("line %d: Parse(%q) = %v, want json_invalid", line, body, err)
			}
		case row.Msg != "":
			want := string(invalidJSON(row.Msg, row.Pos).AppendJSON(nil))
			if got := string(errs.AppendJSON(nil)); got != want {
				t.Errorf("line %d: Parse(%q)\n got %s (%v)\nwant %s", line, body, got, err, want)
			}
		case err != nil:
			t.Errorf("line %d: Parse(%q) = %v, want a value", line, body, err)
		default:
			if got := string(doc.echo(nil, 0, nil)); got != row.Value {
				t.Errorf("line %d: Parse(%q)\n got %s\nwant %s", line, body, got, row.Value)
			}
		}
	})
}

func TestParseDeep(t *testing.T) {
	t.Parallel()
	for _, open := range []string{"[", `{"a":`, `[{"a":`} {
		_, err := Parse([]byte(strings.Repeat(open, 100_000)))
		errs, ok := errors.AsType[Errors](err)
		if !ok || errs[0].Type != "json_invalid" {
			t.Errorf("100,000 of %s: %v", open, err)
		}
	}
}

func TestFloats(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"1.0": "1.0", "1e5": "100000.0", "1e15": "1000000000000000.0", "1e16": "1e+16", "1e-4": "0.0001",
		"1e-5": "1e-05", "0.1": "0.1", "-0.0": "-0.0", "1e-999": "0.0", "5e-324": "5e-324",
		"1.7976931348623157e308": "1.7976931348623157e+308", "123456789012345678.5": "1.2345678901234568e+17",
	} {
		doc, err := Parse([]byte(in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := string(doc.echo(nil, 0, nil)); got != want {
			t.Errorf("%s is echoed as %s, want %s", in, got, want)
		}
	}
}

// FuzzParse holds Parse against encoding/json, which agrees on all of JSON but
// what is listed.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,"b",null,true,-0.5e3]}`, `"\ud83d\ude00"`, "\xef\xbb\xbf1", "[NaN]", `"\ud800"`, "\x00[\x00]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		doc, err := Parse(body)
		if errs, ok := errors.AsType[Errors](err); ok {
			if len(errs) != 1 || !json.Valid(errs.AppendJSON(nil)) {
				t.Fatalf("bad error for %q: %v", body, errs)
			}
			if pos := errs[0].Loc[1].(int); pos < 0 || pos > len(body) {
				t.Fatalf("%q: position %d", body, pos)
			}
		}
		if err == nil {
			out := doc.echo(nil, 0, nil)
			if !json.Valid(out) || !utf8.Valid(out) {
				t.Fatalf("%q is echoed as %q", body, out)
			}
			again, err := Parse(out)
			if err != nil {
				t.Fatalf("the echo of %q, %q, is refused: %v", body, out, err)
			}
			if twice := again.echo(nil, 0, nil); !bytes.Equal(out, twice) {
				t.Fatalf("%q echoes as %q and then as %q", body, out, twice)
			}
		}
		if !utf8.Valid(body) || bytes.IndexByte(body, 0) >= 0 || bytes.HasPrefix(body, []byte("\xef\xbb\xbf")) {
			return
		}
		valid := json.Valid(body)
		if err == nil && !valid {
			t.Fatalf("%q is no JSON and was accepted", body)
		}
		if errs, ok := errors.AsType[Errors](err); ok && valid {
			ctx := string(errs[0].Ctx)
			if !strings.Contains(ctx, "Unpaired") && !strings.Contains(ctx, "deeply") && !strings.Contains(ctx, "range") {
				t.Fatalf("%q is JSON and was refused: %v", body, ctx)
			}
		}
	})
}

func FuzzAppendString(f *testing.F) {
	f.Add("a\x00\"\\é\u2028\xff</script>")
	f.Fuzz(func(t *testing.T, s string) {
		out := AppendString(nil, s)
		var back string
		if err := json.Unmarshal(out, &back); err != nil {
			t.Fatal(err)
		}
		if want := strings.ToValidUTF8(s, "\uFFFD"); utf8.ValidString(s) && back != want {
			t.Fatalf("%q came back as %q", s, back)
		}
		doc, err := Parse(out)
		if err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		if got := doc.str(&doc.nodes[0]); got != back {
			t.Fatalf("%s is read as %s", out, strconv.Quote(got))
		}
	})
}
