package program_test

import (
	"bytes"
	"errors"
	"html/template"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"portico/internal/web/program"
)

type named string

type spoken string

func (s spoken) String() string { return "<" + string(s) + ">" }

type inner struct { //nolint:recvcheck // methods of both kinds are what is tested
	Text  string
	Count int
}

func (i *inner) Safe() string {
	if i == nil {
		return "nobody"
	}
	return i.Text
}
func (i inner) Twice() string       { return i.Text + i.Text }
func (i *inner) Own() string        { return "own " + i.Text }
func (i inner) Say(w string) string { return w + " " + i.Text }
func (i inner) Fail() (string, error) {
	return "", errors.New("it failed")
}

type dot struct {
	inner

	Text, Link string
	Yes, No    bool
	Number     int
	Small      uint8
	Name       named
	Spoken     spoken
	HTML       template.HTML
	URL        template.URL
	At         time.Time
	Pointer    *inner
	None       *inner
	Any, Nil   any
	List       []inner
	Pointers   []*inner
	Words      []string
	Empty      []string
	Map        map[string]string
	Marks      map[named]bool
	Anything   map[string]any

	hidden string
}

// example has of everything a little, and characters that are escaped.
func example() *dot {
	one := &inner{"one & only", 1}
	return &dot{
		inner: inner{"embedded", 7}, Text: `<a b="c">'+&` + "\x00é", Link: "javascript:alert(1)", Yes: true, Number: -3, Small: 200,
		Name: "na<me", Spoken: "said", HTML: "<b>bold</b>", URL: "javascript:trusted()", At: time.Unix(1782744095, 0).UTC(),
		Pointer: one, Any: one, List: []inner{{"a", 0}, {"<b>", 2}}, Pointers: []*inner{one, nil}, Words: []string{"x", "y+z", ""},
		Map: map[string]string{"key": "<value>"}, Marks: map[named]bool{"na<me": true}, Anything: map[string]any{"Deep": map[string]any{"Er": 4.5}},
		hidden: "hidden",
	}
}

func funcs() template.FuncMap {
	return template.FuncMap{
		"join": func(sep string, words ...string) string { return strings.Join(words, sep) },
		"pair": func(a, b any) []any { return []any{a, b} },
		"fail": func(string) (string, error) { return "", errors.New("it failed") },
		"mark": func(n named) string { return string(n) + "!" },
		"safe": func(s string) template.HTML { return template.HTML(s) },
		"of":   func(i inner) string { return i.Text },
		"boom": func(string) string { panic("out") },
	}
}

// both returns what html/template and a program make of a template.
func both(t *testing.T, text string, data any) (want, got string, wantErr, gotErr error) {
	t.Helper()
	parsed, err := template.New("main").Funcs(funcs()).Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	wantErr = template.Must(parsed.Clone()).Execute(&out, data)
	maker := program.NewMaker(funcs())
	p, gotErr := maker.Program(parsed, "main")
	if gotErr != nil {
		return out.String(), "", wantErr, gotErr
	}
	body, gotErr := p.Append([]byte("> "), data)
	return out.String(), strings.TrimPrefix(string(body), "> "), wantErr, gotErr
}

// TestSame runs every construct by a program and by html/template, which must
// say the same, or both that they cannot.
func TestSame(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`plain text`, ``, `{{/* nothing */}}`, `{{.Text}}`, `<title>{{.Text}}</title>`, `<b title="{{.Text}}">`, `<a href="{{.Link}}">`,
		`<a href="{{.Text}}">`, `<a href="/x/{{.Text}}">`, `<a href="/x?y={{.Text}}&amp;z={{.Number}}">`, `<a href="{{.URL}}">`,
		`{{.Number}} {{.Small}} {{.Yes}} {{.Name}} {{.Spoken}} {{.HTML}} <b title="{{.HTML}}">{{.At}}</b> {{.List}} {{.Pointer}} {{.Nil}} {{.None}}`,
		`{{.At.UTC.Format "2006-01-02"}} {{.Pointer.Text}} {{.Any.Text}} {{.Any.Own}} {{.Twice}} {{.Say "so"}} {{.Pointer.Say .Text}} {{.Count}} {{.Own}}`,
		`{{.None.Safe}} {{.Pointer.Safe}} {{.Safe}}`, `{{boom .Text}}`, `{{boom "now"}}`, `{{$x := .Text}}{{$x "a"}}`,
		`{{lt .Number}}`, `{{not .Yes .No}}`, `{{len}}`, `{{eq .Number}}`,
		`{{define "deep"}}a{{if .}}{{template "deep"}}{{end}}{{end}}{{with .Text}}{{template "deep" .}}{{end}}`,
		`{{.Fail}}`, `{{.None.Text}}`, `{{.Nil.Text}}`, `{{.Missing}}`, `{{.Text.Missing}}`, `{{.hidden}}`, `{{.Number.Text}}`, `{{.Text "argument"}}`,
		`{{.Map.key}} {{.Map.none}} {{.Anything.Deep.Er}} {{.Anything.No.Er}}`,
		`{{if .Yes}}a{{else}}b{{end}}{{if .No}}a{{else if .Text}}c{{else}}b{{end}}{{if .None}}a{{end}}{{if .Nil}}a{{end}}{{if .Any}}d{{end}}`,
		`{{if .Number}}a{{end}}{{if .Empty}}b{{end}}{{if .Words}}c{{end}}{{if .At}}d{{end}}{{if .Map}}e{{end}}{{if .HTML}}f{{end}}`,
		`{{with .Pointer}}{{.Text}}{{$.Text}}{{else}}none{{end}}{{with .None}}a{{else}}{{.Number}}{{end}}{{with $x := .Any}}{{$x.Count}}{{.Text}}{{end}}`,
		`{{range .List}}{{.Text}}{{.Own}}{{if .Count}}{{$.Number}}{{end}},{{end}}{{range .Empty}}a{{else}}{{.Number}}{{end}}{{range .Nil}}a{{else}}b{{end}}`,
		`{{range $i, $x := .Words}}{{if $i}}<br>{{end}}{{$x}}{{range $i, $y := $.Words}}{{$i}}{{$x}}{{$y}}{{end}}{{$i}}{{end}}`,
		`{{range $x := .Words}}{{$x}}{{end}}{{range .Pointers}}{{if .}}{{.Text}}{{end}}{{end}}{{range pair .Text 3}}{{.}}{{end}}`,
		`{{$a := .Text}}{{if $a}}{{$a := .Number}}{{$a}}{{end}}{{$a}}{{$b := pair $a .Yes}}{{range $b}}{{.}}{{end}}`,
		`{{eq .Text "a"}} {{eq .Name "na<me"}} {{eq .Number -3}} {{eq .Number 1 2 -3}} {{ne .Yes .No}} {{eq nil .None}} {{eq .Nil nil}} {{eq .Pointer nil}}`,
		`{{eq .Text .Number}}`, `{{lt .Number 300}} {{lt 3 .Number}} {{not .Yes}} {{not .None}} {{len .Words}} {{len .Text}}`,
		`{{and .Yes .Text}} {{and .No .Fail}} {{or .No .Number}} {{or .Text .Fail}} {{or .No .Nil .Empty}} {{if and .Yes (or .No (not .No))}}a{{end}}`,
		`{{index .Map "key"}} {{index .Map "none"}} {{index .Marks .Name}} {{index .Words 1}} {{index .Anything "Deep"}} {{with index .Map "key"}}{{.}}{{end}}`,
		`{{print .Text 1 .Number}} {{print "a" "b"}} {{(print .Number)}} {{join "+" "a" "b"}} {{join .Text}} {{.Text | join "," "x"}} {{.Number | print "n" | print}}`,
		`{{mark "constant"}} {{mark .Name}} {{safe "<i>"}} {{safe .Text}} {{of .Pointer}} {{of .Any}} {{(index .List 0).Text}}`,
		`{{fail .Text}}`, `{{index .Words 3}}`, `{{index .Number 1}}`, `{{index .Words "a"}}`, `{{join .Number}}`, `{{of .None}}`, `{{of nil}}`,
		`{{define "part"}}[{{.}}]{{end}}{{template "part" .Text}}{{template "part" "a+b"}}{{template "part"}}{{template "part" pair 1 "<"}}`,
		`{{define "tree"}}({{range .}}{{template "tree" .}}{{end}}){{end}}{{template "tree" pair .Empty .Words}}`,
		`{{define "vars"}}{{$x := .Text}}{{$x}}{{$.Text}}{{end}}{{$x := 1}}{{template "vars" .}}{{$x}}{{range .List}}{{template "vars" .}}{{end}}`,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			want, got, wantErr, gotErr := both(t, text, example())
			switch {
			case (wantErr == nil) != (gotErr == nil):
				t.Errorf("html/template: %v; the program: %v", wantErr, gotErr)
			case wantErr == nil && got != want:
				t.Errorf("html/template:\n%s\nthe program:\n%s", want, got)
			}
		})
	}
}

// TestUnknown shows that what a program cannot do, it does not begin.
func TestUnknown(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`<script>x = {{.Text}}</script>`:   "jsvalescaper",
		`<b style="color: {{.Text}}">`:     "cssvaluefilter",
		`<b title={{.Text}}>`:              "nospaceescaper",
		`<b {{.Text}}>`:                    "htmlnamefilter",
		`<b title="{{.Text}}`:              "ends in a non-text context",
		`{{range .Words}}{{break}}{{end}}`: "break",
		`{{$x := 1}}{{$x = 2}}`:            "$x = 2",
		`{{printf "%d" .Number}}`:          "printf",
		`{{1.5}}`:                          "1.5",
		`{{fail "now"}}`:                   "it failed",
		`{{define "p"}}{{.}}{{end}}<b title="{{template "p" .Text}}">`: `template "p`,
	} {
		if _, _, _, err := both(t, text, example()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestTogether runs one program in many goroutines over values of several types.
func TestTogether(t *testing.T) {
	t.Parallel()
	set := template.Must(template.New("main").Parse(`{{range .}}{{.Text}} {{end}}`))
	maker := program.NewMaker()
	p, err := maker.Program(set, "main")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 100 {
				got, err := p.Append(nil, []any{inner{Text: "a"}, &inner{Text: "b"}, map[string]string{"Text": "c"}, struct{ Text int }{4}})
				if err != nil || string(got) != "a b c 4 " {
					t.Errorf("%s %v", got, err)
				}
			}
		})
	}
	wait.Wait()
}

// FuzzPlaces holds what a program makes of a text, in every place that it
// knows, against html/template.
func FuzzPlaces(f *testing.F) {
	for _, s := range []string{
		"plain", "é·日本", "a+b", `"`, "'", "&", "&amp;", "<script>", ">", "\x00", "\xff\xfe", "javascript:alert(1)", " javascript:x", "JaVaScRiPt:x",
		"data:text/html,x", "//evil.example", "/a?b=c#d", "http://a.example:80/b", "https:x", "mailto:a@b.example", "?a:b", "#x:y", "a b", "%zz", "%41",
		"`", "\\", "\u2028", "{{.}}", "a/b:c", "x\ty\nz", "",
	} {
		f.Add(s)
	}
	set := template.Must(template.New("main").Parse(`<title>{{.}}</title><b title="{{.}}">{{.}}</b>` +
		`<a href="{{.}}"></a><a href="/x/{{.}}"></a><a href="/?x={{.}}"></a><img src="{{.}}"><form action="{{.}}"></form><textarea>{{.}}</textarea>`))
	other := template.Must(set.Clone())
	maker := program.NewMaker()
	p, err := maker.Program(set, "main")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, data := range []any{s, named(s), spoken(s), template.HTML(s), template.URL(s), reflect.ValueOf(&s).Interface()} {
			var want bytes.Buffer
			if err := other.Execute(&want, data); err != nil {
				t.Fatal(err)
			}
			if got, err := p.Append(nil, data); err != nil || string(got) != want.String() {
				t.Errorf("%T %q: %v\n%s\nhtml/template:\n%s", data, s, err, got, &want)
			}
		}
	})
}

// TestFronts shows that every page of every front has a program: one that has
// none would be an error for who first asks for it.
func TestFronts(t *testing.T) {
	t.Parallel()
	action, text, word := regexp.MustCompile(`{{.*?}}`), regexp.MustCompile(`"[^"]*"`), regexp.MustCompile(`(?:^|[ ({])([a-z]\w*)`)
	language := strings.Fields("if else end with range define template nil and or not eq ne lt index len print")
	for _, front := range []string{"../testdata/gallery", "../../gateway/pages", "../../console/pages", "../../httpapi/pages", "../../node/fleetpages"} {
		pages, err := filepath.Glob(front + "/[^_]*.html")
		if err != nil || len(pages) == 0 {
			t.Fatalf("%s has %d pages: %v", front, len(pages), err)
		}
		shared, err := filepath.Glob(front + "/_*.html")
		if err != nil {
			t.Fatal(err)
		}
		shared = append(shared, "../templates/layout.html", "../templates/components.html")
		for _, page := range pages {
			files := append(slices.Clone(shared), page)
			funcs := template.FuncMap{}
			for _, file := range files {
				content, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				for _, a := range action.FindAllString(string(content), -1) {
					for _, found := range word.FindAllStringSubmatch(text.ReplaceAllString(a, `""`), -1) {
						if !slices.Contains(language, found[1]) {
							funcs[found[1]] = func(...any) any { return nil }
						}
					}
				}
			}
			maker := program.NewMaker(funcs)
			set, err := template.New("").Funcs(funcs).ParseFiles(files...)
			if err == nil {
				_, err = maker.Program(set, "layout")
			}
			if err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
}
