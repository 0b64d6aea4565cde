package schema

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portico"
)

// update rewrites the golden files; the name is taken by a test type.
var updateGolden = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *updateGolden {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what is generated (go test -update rewrites it):\n%s", path, got)
	}
}

type user struct {
	ID, Name, Email, First, Last, Status string
	Active, Portal                       bool
	PortalID, OrganizationID             string
	Created, Modified                    time.Time
	CreatedBy, ModifiedBy                *string
}

func userModel() *Model[user] {
	id := String
	return Object[user]("PortalUserResponse",
		Required("id", func(v *user) *string { return &v.ID }, id()),
		Required("name", func(v *user) *string { return &v.Name }, String()),
		Required("email", func(v *user) *string { return &v.Email }, String().Format("email")),
		Required("first_name", func(v *user) *string { return &v.First }, String()),
		Required("last_name", func(v *user) *string { return &v.Last }, String()),
		Required("status", func(v *user) *string { return &v.Status }, String().Enum("invited", "active", "expired", "bounced")),
		Required("is_active", func(v *user) *bool { return &v.Active }, Bool()),
		Required("is_portal_user", func(v *user) *bool { return &v.Portal }, Bool()),
		Required("portal_id", func(v *user) *string { return &v.PortalID }, id()),
		Required("organization_id", func(v *user) *string { return &v.OrganizationID }, id()),
		Required("created_date", func(v *user) *time.Time { return &v.Created }, Time()),
		Required("modified_date", func(v *user) *time.Time { return &v.Modified }, Time()),
		Required("created_by", func(v *user) **string { return &v.CreatedBy }, Null(id())),
		Required("modified_by", func(v *user) **string { return &v.ModifiedBy }, Null(id())),
	)
}

func ada() user {
	at := time.Date(2026, 6, 29, 16, 41, 35, 355_000_999, time.FixedZone("", 7200))
	return user{
		ID: "user_06e4p1", Name: "Ada \"the\" <b>É\u2028", Email: "ada@example.com", First: "Ada", Last: "É", Status: "active",
		Active: true, Portal: true, PortalID: "port_06e4p1", OrganizationID: "org_06e4p1", Created: at,
		Modified: at.Truncate(time.Second), CreatedBy: new("user_06e4p0"),
	}
}

func TestAppendJSON(t *testing.T) {
	t.Parallel()
	u := ada()
	got := string(userModel().AppendJSON([]byte("x"), &u))
	want := `x{"id":"user_06e4p1","name":"Ada \"the\" <b>É` + "\u2028" + `","email":"ada@example.com","first_name":"Ada","last_name":"É",` +
		`"status":"active","is_active":true,"is_portal_user":true,"portal_id":"port_06e4p1","organization_id":"org_06e4p1",` +
		`"created_date":"2026-06-29T14:41:35.355000Z","modified_date":"2026-06-29T14:41:35Z","created_by":"user_06e4p0","modified_by":null}`
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if got := string(Object[user]("Nothing").AppendJSON(nil, &u)); got != "{}" {
		t.Errorf("an object without members is %s", got)
	}
}

func TestAppendString(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":               `""`,
		"a\x00\x1f\x7f":  `"a\u0000\u001f` + "\x7f" + `"`,
		"\b\f\n\r\t\"\\": `"\b\f\n\r\t\"\\"`,
		"</a>&é\u2028😀":  `"</a>&é` + "\u2028" + `😀"`,
		"\xffa\xc3":      `"` + "\uFFFD" + `a` + "\uFFFD" + `"`,
		"\uFFFD":         `"` + "\uFFFD" + `"`,
	} {
		if got := string(AppendString(nil, in)); got != want {
			t.Errorf("%q is %s, want %s", in, got, want)
		}
	}
}

func TestAppendTime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), `"2026-01-02T03:04:05Z"`},
		{time.Date(2026, 1, 2, 3, 4, 5, 999, time.UTC), `"2026-01-02T03:04:05Z"`},
		{time.Date(2026, 12, 31, 23, 59, 59, 999_999_999, time.UTC), `"2026-12-31T23:59:59.999999Z"`},
		{time.Date(2026, 1, 2, 3, 4, 5, 1000, time.UTC), `"2026-01-02T03:04:05.000001Z"`},
		{time.Time{}, `"0001-01-01T00:00:00Z"`},
	} {
		if got := string(AppendTime(nil, c.at)); got != c.want {
			t.Errorf("%v is %s, want %s", c.at, got, c.want)
		}
	}
}

func TestPatch(t *testing.T) {
	t.Parallel()
	doc, err := Parse([]byte(`{"name":" a ","description":null}`))
	if err != nil {
		t.Fatal(err)
	}
	got, errs := updateModel().Decode(doc)
	want := update{Name: Patch[string]{Set: true, Value: "a"}, Description: Patch[string]{Set: true, Null: true}}
	if len(errs) > 0 || got != want {
		t.Errorf("got %+v %v, want %+v", got, errs, want)
	}
}

func TestRuleTexts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want string
	}{
		{errors.New("must be nicer"), "must be nicer"},
		{portico.FieldErrorf("name", "must be nicer"), "must be nicer"},
		{portico.WrapError(portico.KindInvalid, errors.New("secret cause"), "must be nicer"), "must be nicer"},
	} {
		m := Object[create]("Ruled", Required("name", func(v *create) *string { return &v.Name },
			String().Rule(func(string) (string, error) { return "", c.err })))
		doc, err := Parse([]byte(`{"name":"x"}`))
		if err != nil {
			t.Fatal(err)
		}
		_, errs := m.Decode(doc)
		want := detail(`{"type":"value_error","loc":["body","name"],"msg":"Value error, ` + c.want + `","input":"x","ctx":{"error":{}}}`)
		if got := string(errs.AppendJSON(nil)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		same := ValueError(c.want, "x", "body", "name")
		if got := string(same.AppendJSON(nil)); got != want {
			t.Errorf("ValueError gives %s, want %s", got, want)
		}
	}
}

// TestErrorsStayLinear has every item of a large list echo its own object.
func TestErrorsStayLinear(t *testing.T) {
	t.Parallel()
	body := `{"users":[` + strings.Repeat(`{"x":"`+strings.Repeat("y", 900)+`"},`, 999) + `{}]}`
	m := Object[invite]("Many", Required("users", func(v *invite) *[]guest { return &v.Users },
		Array(Object[guest]("Item", Required("email", func(v *guest) *string { return &v.Email }, String()))).Len(1, 1000)))
	doc, err := Parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	_, errs := m.Decode(doc)
	if len(errs) != 1000 {
		t.Fatalf("%d errors, want 1,000", len(errs))
	}
	if size := len(errs.AppendJSON(nil)); size > 2*len(body) {
		t.Errorf("%d bytes of errors for a body of %d", size, len(body))
	}
}

func TestComponents(t *testing.T) {
	t.Parallel()
	all := Components(createModel(), inviteModel(), tokenModel(), probeModel(), userModel(), loginModel())
	golden(t, "components.json", append(all.AppendJSON(nil), '\n'))
}

func TestParameters(t *testing.T) {
	t.Parallel()
	got := string(Map{{"parameters", pageModel().Parameters("query")}}.AppendJSON(nil))
	want := `{"parameters":[{"name":"limit","in":"query","required":false,"schema":{"anyOf":[{"type":"integer","maximum":1000,` +
		`"minimum":1},{"type":"null"}],"title":"Limit","description":"How many."},"description":"How many."},` +
		`{"name":"status","in":"query","required":false,"schema":{"anyOf":[{"type":"string","enum":["invited","active",` +
		`"expired","bounced"]},{"type":"null"}],"title":"Status"}}]}`
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	text := createModel().Markdown() + "\n" + inviteModel().Markdown() + "\n" + pageModel().Markdown()
	golden(t, "models.md", []byte(text))
}

func TestMisuse(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(){
		"lift of no object":  func() { Array(String()).Lift("email") },
		"lift of no member":  func() { Array(userModel()).Lift("nobody") },
		"two of one name":    func() { Components(userModel(), userModel()) },
		"no value of a Map":  func() { Map{{"a", 1.5}}.AppendJSON(nil) },
		"malformed patterns": func() { String().Pattern("(") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

// TestAnyObject reads and writes an object whose members nobody declared.
func TestAnyObject(t *testing.T) {
	t.Parallel()
	type holder struct{ free string }
	model := Object("Holder", Required("free", func(h *holder) *string { return &h.free }, AnyObject()))
	for _, c := range []struct{ body, want string }{
		{`{"free":{"b":[1,{"c":null}],"a":"é"}}`, `{"free":{"b":[1,{"c":null}],"a":"é"}}`},
		{`{"free":{}}`, `{"free":{}}`},
		{`{"free":[]}`, ""},
		{`{"free":"{}"}`, ""},
	} {
		doc, err := Parse([]byte(c.body))
		if err != nil {
			t.Fatal(err)
		}
		v, wrong := model.Decode(doc)
		if (len(wrong) > 0) != (c.want == "") {
			t.Errorf("%s: %v", c.body, wrong)
		}
		if got := string(model.AppendJSON(nil, &v)); c.want != "" && got != c.want {
			t.Errorf("%s is written as %s", c.body, got)
		}
	}
	if got := string(model.AppendJSON(nil, &holder{})); got != `{"free":{}}` {
		t.Errorf("an empty one: %s", got)
	}
}
