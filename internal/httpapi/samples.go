package httpapi

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"portico/internal/schema"
)

// sampleValues are values of an operation's parameters and of the members of
// its body, by name, as encoding/json reads them.
type sampleValues map[string]any

// prefilled returns the values with which an operation is first shown: those of
// the body's members that have to be there, or else of its first one.
func (r *route) prefilled() sampleValues {
	values := sampleValues{}
	if r.body == nil {
		return values
	}
	members := r.body.Members()
	for i, m := range members {
		if (m.Required || (i == 0 && !members[len(members)-1].Required && !anyRequired(members))) && m.Example != "" {
			if v := sampleOf(m); v != nil {
				values[m.Name] = v
			}
		}
	}
	return values
}

func anyRequired(members []schema.Member) bool {
	for _, m := range members {
		if m.Required {
			return true
		}
	}
	return false
}

// sampleOf is a member's example; of an array that is entered by lines, the
// lines.
func sampleOf(m schema.Member) any {
	var v any
	if err := json.Unmarshal([]byte(m.Example), &v); err != nil {
		panic("httpapi: the example of " + m.Name + " is no JSON")
	}
	items, ok := v.([]any)
	if !ok || m.Input.Lift == "" {
		return v
	}
	for i, item := range items {
		if object, ok := item.(map[string]any); ok {
			items[i] = object[m.Input.Lift]
		}
	}
	return items
}

// The templates of samples: {name} is a value, and what stands in [[ ]] is left
// out when the value in it was not given. pages/runner.js fills them too.
var (
	sampleOption = regexp.MustCompile(`(?s)\[\[(.*?)\]\]`)
	sampleValue  = regexp.MustCompile(`\{(\w+)\}`)
)

// fill replaces the values of a template by what quote makes of them; absent
// names one that has to be there and was not given.
func (v sampleValues) fill(template string, quote func(any) string, absent func(name string) string) string {
	put := func(text string) string {
		return sampleValue.ReplaceAllStringFunc(text, func(name string) string {
			name = strings.Trim(name, "{}")
			if value, ok := v[name]; ok {
				return quote(value)
			}
			return absent(name)
		})
	}
	return put(sampleOption.ReplaceAllStringFunc(template, func(option string) string {
		option = option[2 : len(option)-2]
		if _, ok := v[sampleValue.FindStringSubmatch(option)[1]]; ok {
			return option
		}
		return ""
	}))
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,-]+$`)

// shellWord quotes a value for a shell.
func shellWord(value any) string {
	switch v := value.(type) {
	case nil:
		return "''"
	case []any:
		words := make([]string, len(v))
		for i, item := range v {
			words[i] = shellWord(item)
		}
		return strings.Join(words, " ")
	}
	s := fmt.Sprint(value)
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// goValue writes a value as Go has it; the items of an array are recipients.
func goValue(value any) string {
	switch v := value.(type) {
	case nil:
		return "nil"
	case string:
		return strconv.Quote(v)
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = "{Email: " + goValue(item) + "}"
		}
		return strings.Join(items, ", ")
	}
	return fmt.Sprint(value)
}

// samples are the ways to ask for an operation, with values filled in.
type samples struct{ Curl, CLI, Go string }

func (r *route) samples(base string) samples {
	v := r.prefilled()
	return samples{
		Curl: r.curl(base, v),
		CLI:  v.fill(r.cli, shellWord, strings.ToUpper),
		Go:   v.fill(r.sdk, goValue, absentGo),
	}
}

// absentGo is what stands in Go for a value that was not given: the name of a
// part of the path, and otherwise nothing.
func absentGo(name string) string {
	if strings.HasSuffix(name, "_id") {
		return strconv.Quote(strings.ToUpper(name))
	}
	return `""`
}

func (r *route) curl(base string, v sampleValues) string {
	var b strings.Builder
	b.WriteString("curl -s ")
	if r.method != "GET" && (r.method != "POST" || r.body == nil) {
		b.WriteString("-X " + r.method + " ")
	}
	path := sampleValue.ReplaceAllStringFunc(r.path, func(name string) string { return strings.ToUpper(strings.Trim(name, "{}")) })
	b.WriteString(base + path)
	if r.access != public {
		b.WriteString(" \\\n  -H \"Authorization: Bearer $PORTICO_TOKEN\"")
	}
	switch {
	case r.body == nil:
	case r.form:
		for _, m := range r.body.Members() {
			if value, ok := v[m.Name]; ok {
				b.WriteString(" \\\n  --data-urlencode " + shellWord(m.Name+"="+fmt.Sprint(value)))
			}
		}
	default:
		body := schema.Map{}
		for _, m := range r.body.Members() {
			if value, ok := v[m.Name]; ok {
				raw, err := json.Marshal(value)
				if err != nil {
					panic(err) // it was read as JSON a moment ago
				}
				body = append(body, schema.Pair{Key: m.Name, Value: schema.Raw(raw)})
			}
		}
		b.WriteString(" \\\n  -H 'Content-Type: application/json' \\\n  -d " + shellWord(string(body.AppendJSON(nil))))
	}
	return b.String()
}
