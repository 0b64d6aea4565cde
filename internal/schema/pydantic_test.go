package schema

import (
	"errors"
	"os"
	"strings"
	"testing"
)

type create struct {
	Name        string
	Description *string
	Domain      *string
}

type update struct{ Name, Description, Domain Patch[string] }

type guest struct{ Email, First, Last string }

type invite struct {
	Users   []guest
	Message *string
	Send    bool
	Dry     bool
}

type token struct {
	Name   string
	Days   *int
	Scopes *[]string
}

type inner struct {
	Flag bool
	N    int
}

type probe struct {
	Inner  inner
	Maybe  *inner
	Status *string
	Grant  string
	Two    []int
	Many   []inner
}

func notBlank(s string) (string, error) {
	if s = strings.Trim(s, " "); s == "" {
		return "", errors.New("must not be blank")
	}
	return s, nil
}

// The declarations that testdata/pydantic.jsonl was made with, in pydantic 2.13.

func createModel() *Model[create] {
	return Object[create]("Create",
		Required("name", func(v *create) *string { return &v.Name }, String().Len(1, 8).Rule(notBlank)).
			Doc("What people call the portal.").Example("Acme"),
		Optional("description", func(v *create) **string { return &v.Description }, Null(String().Len(0, 12)), nil).
			Doc("For | administrators."),
		Optional("custom_domain", func(v *create) **string { return &v.Domain }, Null(String().Len(0, 10)), nil).
			Example(new("x.example")),
	).Doc("A portal to be.")
}

func updateModel() *Model[update] {
	return Object[update]("Update",
		Optional("name", func(v *update) *Patch[string] { return &v.Name },
			Change(String().Len(1, 8).Rule(notBlank)), Patch[string]{}),
		Optional("description", func(v *update) *Patch[string] { return &v.Description },
			Change(String().Len(0, 12)), Patch[string]{}),
		Optional("custom_domain", func(v *update) *Patch[string] { return &v.Domain },
			Change(String().Len(0, 10)), Patch[string]{}),
	)
}

func inviteModel() *Model[invite] {
	guests := Object[guest]("Guest",
		Required("email", func(v *guest) *string { return &v.Email }, String().Len(0, 20)).Example("ada@example.com"),
		Optional("first_name", func(v *guest) *string { return &v.First }, String().Len(0, 8), ""),
		Optional("last_name", func(v *guest) *string { return &v.Last }, String().Len(0, 8), ""),
	)
	return Object[invite]("Invite",
		Required("users", func(v *invite) *[]guest { return &v.Users }, Array(guests).Len(1, 4).Lift("email")).
			Example([]guest{{Email: "ada@example.com", First: "Ada"}}),
		Optional("message", func(v *invite) **string { return &v.Message }, Null(String().Len(0, 10)), nil),
		Optional("send_email", func(v *invite) *bool { return &v.Send }, Bool(), true),
		Optional("dry_run", func(v *invite) *bool { return &v.Dry }, Bool(), false),
	)
}

func tokenModel() *Model[token] {
	return Object[token]("Token",
		Required("name", func(v *token) *string { return &v.Name }, String().Len(1, 80)),
		Optional("expires_in_days", func(v *token) **int { return &v.Days }, Null(Int().Min(1).Max(365)), nil),
		Optional("scopes", func(v *token) **[]string { return &v.Scopes }, Null(Array(String())), nil),
	)
}

func probeModel() *Model[probe] {
	in := Object[inner]("Inner",
		Required("flag", func(v *inner) *bool { return &v.Flag }, Bool()),
		Required("n", func(v *inner) *int { return &v.N }, Int()),
	)
	return Object[probe]("Probe",
		Required("inner", func(v *probe) *inner { return &v.Inner }, in),
		Optional("maybe", func(v *probe) **inner { return &v.Maybe }, Null(in), nil),
		Optional("status", func(v *probe) **string { return &v.Status },
			Null(String().Enum("invited", "active", "expired", "bounced")), nil),
		Optional("grant", func(v *probe) *string { return &v.Grant }, String().Len(2, -1).Pattern("^password$"), "password"),
		Optional("two", func(v *probe) *[]int { return &v.Two }, Array(Int()).Len(2, -1), []int{1, 2}),
		Optional("many", func(v *probe) *[]inner { return &v.Many }, Array(in).Len(0, 1), nil),
	)
}

// answer decodes a body and returns the value or the errors as JSON.
func answer[T any](m *Model[T]) func(*Document) (value, errs string) {
	return func(doc *Document) (string, string) {
		v, errs := m.Decode(doc)
		if len(errs) > 0 {
			return "", string(errs.AppendJSON(nil))
		}
		return string(m.AppendJSON(nil, &v)), ""
	}
}

type pydanticRow struct{ Model, Body, Value, Want string }

func TestDecodeAsPydantic(t *testing.T) {
	t.Parallel()
	models := map[string]func(*Document) (string, string){
		"Create": answer(createModel()),
		"Update": answer(updateModel()),
		"Invite": answer(inviteModel()),
		"Token":  answer(tokenModel()),
		"Probe":  answer(probeModel()),
	}
	path := "testdata/pydantic.jsonl"
	if other := os.Getenv("SCHEMA_PYDANTIC"); other != "" {
		path = other
	}
	readLines(t, path, func(line int, row pydanticRow) {
		doc, err := ReadBody("application/json", []byte(row.Body))
		if err != nil {
			t.Fatalf("line %d: %v", line, err)
		}
		value, errs := models[row.Model](doc)
		if value != row.Value || errs != row.Want {
			t.Errorf("line %d: %s %s\n got %s%s\nwant %s%s", line, row.Model, row.Body, value, errs, row.Value, row.Want)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"users":["a",{"email":5},null],"message":7,"dry_run":"maybe","name":"a"}`))
	f.Add([]byte(`{"name":"\ud83d\ude00","expires_in_days":" 1_0 ","scopes":["a"],"inner":{"flag":1,"n":1e3}}`))
	inviting, creating, probing, making := inviteModel(), createModel(), probeModel(), tokenModel()
	f.Fuzz(func(t *testing.T, body []byte) {
		doc, err := ReadBody("application/json", body)
		if err != nil {
			return
		}
		for _, decode := range []func(*Document) (string, string){
			answer(inviting), answer(creating), answer(probing), answer(making),
		} {
			value, errs := decode(doc)
			if _, err := Parse([]byte(value + errs)); err != nil {
				t.Fatalf("%q gives %q, which is no JSON", body, value+errs)
			}
			if value == "" {
				continue
			}
			stored, err := Parse([]byte(value))
			if err != nil {
				t.Fatal(err)
			}
			if again, errs := decode(stored); again != value {
				t.Fatalf("%q is stored as %s and then as %s%s", body, value, again, errs)
			}
		}
	})
}
