package portico_test

import (
	"reflect"
	"strings"
	"testing"

	"portico"
)

func TestParseRecipients(t *testing.T) {
	t.Parallel()
	r := func(line int, email, first, last string) portico.RecipientLine {
		return portico.RecipientLine{Line: line, Recipient: portico.Recipient{Email: email, FirstName: first, LastName: last}}
	}
	failed := r(2, "a@b.co", "", "")
	failed.Status = "failed"
	for _, c := range []struct {
		name, text string
		want       []portico.RecipientLine
	}{
		{"nothing", "", nil},
		{"blank lines", " \n\n\t\n", nil},
		{"one", "a@b.co", []portico.RecipientLine{r(1, "a@b.co", "", "")}},
		{"lines", "a@b.co\r\n\r\nc@d.co\rd@e.co", []portico.RecipientLine{r(1, "a@b.co", "", ""), r(3, "c@d.co", "", ""), r(4, "d@e.co", "", "")}},
		{"a row", "a@b.co, c@d.co", []portico.RecipientLine{r(1, "a@b.co", "", ""), r(1, "c@d.co", "", "")}},
		{"from a mail", `"Ada Lovelace" <a@b.co>; Bob <c@d.co>`, []portico.RecipientLine{r(1, "a@b.co", "Ada", "Lovelace"), r(1, "c@d.co", "Bob", "")}},
		{"commas in quotes", `"Lovelace, Ada" <a@b.co>, "Bob"<c@d.co>`, []portico.RecipientLine{r(1, "a@b.co", "Lovelace", "Ada"), r(1, "c@d.co", "Bob", "")}},
		{"names after", "a@b.co,Ada,King of,Lovelace", []portico.RecipientLine{r(1, "a@b.co", "Ada", "King of Lovelace")}},
		{"names before", "Ada;Lovelace;a@b.co", []portico.RecipientLine{r(1, "a@b.co", "Ada", "Lovelace")}},
		{"headings", "\ufeffLast Name\tE-Mail\tfirst_name\nLovelace\ta@b.co\tAda\n\t\t\nHopper\toops\t", []portico.RecipientLine{r(2, "a@b.co", "Ada", "Lovelace"), r(4, "oops", "", "Hopper")}},
		{"one name", "Name,Email\nAda Lovelace,a@b.co", []portico.RecipientLine{r(2, "a@b.co", "Ada", "Lovelace")}},
		{"a result", "email,status\na@b.co,failed", []portico.RecipientLine{failed}},
		{"quoted", "email,first name\n\"a@b.co\",\"Ada, the first\"", []portico.RecipientLine{r(2, "a@b.co", "Ada, the first", "")}},
		{"no address", "oops\na@b.co", []portico.RecipientLine{r(1, "oops", "", ""), r(2, "a@b.co", "", "")}},
		{"short row", "email,name\na@b.co", []portico.RecipientLine{r(2, "a@b.co", "", "")}},
	} {
		got, err := portico.ParseRecipients(c.text)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v, want %+v", c.name, got, err, c.want)
		}
	}
	for _, bad := range []string{"\xff\xfe", "First name,Last name\nAda,Lovelace"} {
		if got, err := portico.ParseRecipients(bad); portico.KindOf(err) != portico.KindInvalid {
			t.Errorf("%q: %+v, %v", bad, got, err)
		}
	}
}

// FuzzParseRecipients: no recipient comes from nowhere, and none is lost: each
// cell with an @-sign is in one.
func FuzzParseRecipients(f *testing.F) {
	for _, seed := range []string{"a@b.co", "email,name\na@b.co,Ada", "Ada <a@b.co>; c@d.co", "\"a@b.co", "a\tb@c\n\n;;"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := portico.ParseRecipients(text)
		if err != nil {
			return
		}
		lines := strings.Count(text, "\n") + strings.Count(text, "\r") + 1
		for _, r := range got {
			if r.Line < 1 || r.Line > lines {
				t.Fatalf("line %d of %d", r.Line, lines)
			}
			if email := r.Recipient.Email; !strings.Contains(text, email) && !strings.ContainsAny(text, "\"\r") {
				t.Fatalf("%q is not in %q", email, text)
			}
		}
		if len(got) == 0 && strings.Contains(text, "@") && !strings.ContainsAny(text, "\"\r") {
			t.Fatalf("no recipient in %q", text)
		}
	})
}
