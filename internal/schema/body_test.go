package schema

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

type login struct {
	Grant, Username, Password string
	Scope                     *string
}

func loginModel() *Model[login] {
	return Object[login]("Login",
		Required("grant_type", func(v *login) *string { return &v.Grant }, String().Pattern("^password$")),
		Required("username", func(v *login) *string { return &v.Username }, String()),
		Required("password", func(v *login) *string { return &v.Password }, String().Len(0, 20).Secret()),
		Optional("scope", func(v *login) **string { return &v.Scope }, Null(String()), nil),
	)
}

type page struct {
	Limit  *int
	Status *string
}

func pageModel() *Model[page] {
	return Object[page]("Page",
		Optional("limit", func(v *page) **int { return &v.Limit }, Null(Int().Min(1).Max(1000)), nil).Doc("How many."),
		Optional("status", func(v *page) **string { return &v.Status },
			Null(String().Enum("invited", "active", "expired", "bounced")), nil),
	)
}

func detail(errs ...string) string { return `{"detail":[` + strings.Join(errs, ",") + `]}` }

func missing(loc, input string) string {
	return fmt.Sprintf(`{"type":"missing","loc":%s,"msg":"Field required","input":%s}`, loc, input)
}

func noObject(loc, input string) string {
	return fmt.Sprintf(`{"type":"model_attributes_type","loc":%s,`+
		`"msg":"Input should be a valid dictionary or object to extract fields from","input":%s}`, loc, input)
}

func TestReadBody(t *testing.T) {
	t.Parallel()
	const body = `{"name":"a"}`
	const created = `{"name":"a","description":null,"custom_domain":null}`
	asText := detail(noObject(`["body"]`, `"{\"name\":\"a\"}"`))
	for _, c := range []struct{ contentType, body, want string }{
		{"application/json", body, created},
		{"application/json; charset=utf-8", body, created},
		{"APPLICATION/JSON", body, created},
		{"application/merge-patch+json", body, created},
		{" application/json ", body, created},
		{"text/json", body, asText},
		{"json", body, asText},
		{"", body, asText},
		{"application/jsonp", body, asText},
		{"application/json/x", body, asText},
		{"application/json, application/json", body, asText},
		{"text/plain", "\xff\n", detail(noObject(`["body"]`, `"`+"\uFFFD"+`\n"`))},
		{"text/plain", "{", detail(noObject(`["body"]`, `"{"`))},
		{"text/plain", "", detail(missing(`["body"]`, "null"))},
		{"application/json", "", detail(missing(`["body"]`, "null"))},
		{"application/json", " null ", detail(missing(`["body"]`, "null"))},
		{"application/json", "[]", detail(noObject(`["body"]`, "[]"))},
	} {
		doc, err := ReadBody(c.contentType, []byte(c.body))
		if err != nil {
			t.Errorf("%q %q: %v", c.contentType, c.body, err)
			continue
		}
		value, errs := answer(createModel())(doc)
		if got := value + errs; got != c.want {
			t.Errorf("%q %q\n got %s\nwant %s", c.contentType, c.body, got, c.want)
		}
	}
	if _, err := ReadBody("application/json", []byte("\xff")); !errors.Is(err, ErrUnreadable) {
		t.Errorf("a body that is no text: %v", err)
	}
}

func TestReadForm(t *testing.T) {
	t.Parallel()
	const urlencoded = "application/x-www-form-urlencoded"
	const ada = `{"grant_type":"password","username":"ada@example.com","password":"a b%\"é","scope":null}`
	nothing := detail(missing(`["body","grant_type"]`, "null"), missing(`["body","username"]`, "null"),
		missing(`["body","password"]`, "null"))
	multi := "--x\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\npassword\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nada@example.com\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\na b%\"é\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"scope\"; filename=\"f\"\r\n\r\nfile\r\n--x--\r\n"
	for _, c := range []struct{ contentType, body, want string }{
		{urlencoded, "grant_type=password&username=ada%40example.com&password=a+b%25%22%C3%A9", ada},
		{urlencoded + "; charset=utf-8", "grant_type=x&grant_type=password&username=ada%40example.com&password=a+b%%22é&scope=", ada},
		{"multipart/form-data; boundary=x", multi, ada},
		{"application/json", `{"grant_type":"password"}`, nothing},
		{"", "grant_type=password", nothing},
		{urlencoded, "", nothing},
		{urlencoded, "grant_type=&username&password=&&=1", nothing},
		{urlencoded, "grant_type=Password&username=u&password=123456789012345678901", detail(
			`{"type":"string_pattern_mismatch","loc":["body","grant_type"],"msg":"String should match pattern '^password$'",`+
				`"input":"Password","ctx":{"pattern":"^password$"}}`,
			`{"type":"string_too_long","loc":["body","password"],"msg":"String should have at most 20 characters",`+
				`"input":"**********","ctx":{"max_length":20}}`)},
	} {
		doc, err := ReadForm(c.contentType, []byte(c.body))
		if err != nil {
			t.Errorf("%q %q: %v", c.contentType, c.body, err)
			continue
		}
		value, errs := answer(loginModel())(doc)
		if got := value + errs; got != c.want {
			t.Errorf("%q %q\n got %s\nwant %s", c.contentType, c.body, got, c.want)
		}
	}
	for _, contentType := range []string{"multipart/form-data", "multipart/form-data; boundary=y"} {
		if _, err := ReadForm(contentType, []byte(multi)); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%s: %v, want ErrUnreadable", contentType, err)
		}
	}
}

func TestReadQuery(t *testing.T) {
	t.Parallel()
	const expected = `'invited', 'active', 'expired' or 'bounced'`
	for _, c := range []struct{ query, want string }{
		{"", `{"limit":null,"status":null}`},
		{"limit=10&status=active&x=1", `{"limit":10,"status":"active"}`},
		{"limit=1&limit=%31000", `{"limit":1000,"status":null}`},
		{"limit=abc", detail(`{"type":"int_parsing","loc":["query","limit"],` +
			`"msg":"Input should be a valid integer, unable to parse string as an integer","input":"abc"}`)},
		{"limit=", detail(`{"type":"int_parsing","loc":["query","limit"],` +
			`"msg":"Input should be a valid integer, unable to parse string as an integer","input":""}`)},
		{"limit=0", detail(`{"type":"greater_than_equal","loc":["query","limit"],` +
			`"msg":"Input should be greater than or equal to 1","input":"0","ctx":{"ge":1}}`)},
		{"limit=99999999999999999999", detail(`{"type":"less_than_equal","loc":["query","limit"],` +
			`"msg":"Input should be less than or equal to 1000","input":"99999999999999999999","ctx":{"le":1000}}`)},
		{"status=gone", detail(`{"type":"enum","loc":["query","status"],"msg":"Input should be ` + expected +
			`","input":"gone","ctx":{"expected":"` + expected + `"}}`)},
	} {
		value, errs := answer(pageModel())(ReadQuery(c.query))
		if got := value + errs; got != c.want {
			t.Errorf("%q\n got %s\nwant %s", c.query, got, c.want)
		}
	}
}

type account struct {
	Name, Token string
	Keys        []string
	Logins      []login
}

func accountModel() *Model[account] {
	return Object[account]("Account",
		Required("name", func(v *account) *string { return &v.Name }, String()),
		Required("token", func(v *account) *string { return &v.Token }, String().Len(1, -1).Secret()),
		Optional("keys", func(v *account) *[]string { return &v.Keys }, Array(String().Secret()), nil),
		Optional("logins", func(v *account) *[]login { return &v.Logins }, Array(loginModel()).Lift("password"), nil),
	)
}

func TestSecretsAreNotEchoed(t *testing.T) {
	t.Parallel()
	for _, contentType := range []string{"application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
		for _, body := range []string{
			`{"token":"s3cret"}`, `{"token":["s3cret"]}`, `{"token":{"a":"s3cret"}}`, `"s3cret"`, `["s3cret"]`, `[{"token":"s3cret"}]`,
			`{"Token":"s3cret"}`, `{"x":{"y":["s3cret"]}}`, `{"keys":"s3cret"}`, `{"keys":{"a":"s3cret"}}`, `{"keys":["s3cret",["s3cret"]]}`,
			`{"token":"","keys":["s3cret"]}`, `{"logins":["s3cret"]}`, `{"logins":[{"password":"s3cret"}]}`, `{"logins":"s3cret"}`,
			`{"logins":{"password":"s3cret"}}`, `{"logins":[["s3cret"]]}`, `{"logins":[{"password":"s3cret","password":"s3cret2"}]}`,
			`{"to\u006ben":"s3cret","token":"s3cre\u0074"}`, `token=s3cret`, `{"x":"s3cret"`,
		} {
			doc, err := ReadBody(contentType, []byte(body))
			if errs, ok := errors.AsType[Errors](err); ok && strings.Contains(string(errs.AppendJSON(nil)), "s3cre") {
				t.Errorf("%s is echoed in %s", body, errs.AppendJSON(nil))
			}
			if err != nil {
				continue
			}
			_, errs := answer(accountModel())(doc)
			if errs == "" || strings.Contains(errs, "s3cre") {
				t.Errorf("%s is answered with %q", body, errs)
			}
		}
	}
}

func TestSecretEchoes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ body, want string }{
		{`{}`, detail(missing(`["body","name"]`, "{}"), missing(`["body","token"]`, "{}"))},
		{`{"x":1,"y":null,"z":"","token":"t"}`,
			detail(missing(`["body","name"]`, `{"x":1,"y":null,"z":"","token":"**********"}`))},
		{`7`, detail(noObject(`["body"]`, "7"))},
		{`{"name":"a","token":null}`, detail(`{"type":"string_type","loc":["body","token"],"msg":"Input should be a valid string","input":null}`)},
		{`{"name":"a","token":7}`,
			detail(`{"type":"string_type","loc":["body","token"],"msg":"Input should be a valid string","input":"**********"}`)},
		{`{"name":"a","token":"t","logins":["x"]}`, detail(
			missing(`["body","logins",0,"grant_type"]`, `{"password":"**********"}`),
			missing(`["body","logins",0,"username"]`, `{"password":"**********"}`))},
	} {
		doc, err := ReadBody("application/json", []byte(c.body))
		if err != nil {
			t.Fatal(err)
		}
		if value, errs := answer(accountModel())(doc); value+errs != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.body, value+errs, c.want)
		}
	}
}

func FuzzForm(f *testing.F) {
	f.Add("application/x-www-form-urlencoded", []byte("grant_type=password&username=%zz+é\xff&password"))
	f.Add("multipart/form-data; boundary=x", []byte("--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\n\xff\r\n--x--"))
	m := loginModel()
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		doc, err := ReadForm(contentType, body)
		if err != nil {
			return
		}
		for _, d := range []*Document{doc, ReadQuery(string(body))} {
			value, errs := answer(m)(d)
			if _, err := Parse([]byte(value + errs)); err != nil {
				t.Fatalf("%q gives %q, which is no JSON", body, value+errs)
			}
		}
	})
}
