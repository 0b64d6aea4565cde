package portico

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"golang.org/x/net/publicsuffix"
)

// TestParseAddressCases checks the published rows: what the reference says of
// an address, and what is stored.
func TestParseAddressCases(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/addresses.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows := 0
	for lines := bufio.NewScanner(f); lines.Scan(); rows++ {
		var row struct {
			Address string `json:"address"`
			OK      bool   `json:"ok"`
			Stored  string `json:"stored"`
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		a, err := ParseAddress(row.Address)
		if (err == nil) != row.OK || a.Stored != row.Stored {
			t.Errorf("%q: %q, %v; want ok=%v %q", row.Address, a.Stored, err, row.OK, row.Stored)
		}
	}
	if rows < 37 {
		t.Errorf("only %d rows", rows)
	}
}

// longAddress is as long as an address may be.
func longAddress() string {
	label := strings.Repeat("a", 62)
	return "me@" + strings.Join([]string{label, label, label, strings.Repeat("b", 58)}, ".") + ".com"
}

func TestParseAddress(t *testing.T) {
	t.Parallel()
	long := longAddress()
	cases := []struct{ in, stored, key string }{
		{"A.b@X.com", "A.b@x.com", "a.b@x.com"},
		{"PostMaster@b.co", "postmaster@b.co", "postmaster@b.co"},
		{"INFO+x@b.co", "INFO+x@b.co", "info+x@b.co"},
		{"a@xn--bcher-kva.com", "a@bücher.com", "a@xn--bcher-kva.com"},
		{"a@XN--BCHER-KVA.com", "a@bücher.com", "a@xn--bcher-kva.com"},
		{"a@bu\u0308cher.com", "a@bücher.com", "a@xn--bcher-kva.com"},
		{"a@STRAẞE.de", "a@straße.de", "a@xn--strae-oqa.de"},
		{"a@ӀӀ.co", "a@ӏӏ.co", "a@xn--s5aa.co"},
		{"a@Ꮳꮃꭹ.co", "a@ᏣᎳᎩ.co", "a@xn--f9dt7l.co"},
		{"a@straße.de", "a@straße.de", "a@xn--strae-oqa.de"},
		{"a@\u212Aelvin.com", "a@kelvin.com", "a@kelvin.com"},
		{"a@臺網中心.tw", "a@臺網中心.tw", "a@xn--fiqq24b10vi0d.tw"},
		{"a@l·l.cat", "a@l·l.cat", "a@xn--ll-0ea.cat"},
		{"a@xn--10cl1a0b660p.com", "a@xn--10cl1a0b660p.com", "a@xn--10cl1a0b660p.com"},
		{"a@b\uFE0F.co", "a@b.co", "a@b.co"},
		{"a@ü--x.de", "a@ü--x.de", "a@xn----x-goa.de"},
		{"a@אב.com", "a@אב.com", "a@xn--4dbc.com"},
		{"a@b.example", "a@b.example", "a@b.example"},
		{"a@home.arpanet.co", "a@home.arpanet.co", "a@home.arpanet.co"},
		{"!#$%&'*+-/=?^_`{|}~@b.co", "!#$%&'*+-/=?^_`{|}~@b.co", "!#$%&'*+-/=?^_`{|}~@b.co"},
		{"<a@b.co>", "a@b.co", "a@b.co"},
		{" < a@b.co > ", "a@b.co", "a@b.co"},
		{"\x1ca@b.co\u3000", "a@b.co", "a@b.co"},
		{"Zoë O'Hara <a@b.co>", "a@b.co", "a@b.co"},
		{`"J. Doe, <Dr.>" <a@b.co>`, "a@b.co", "a@b.co"},
		{`"a "q" b"<a@b.co>`, "a@b.co", "a@b.co"},
		{strings.Repeat("x", 64) + "@b.co", strings.Repeat("x", 64) + "@b.co", strings.Repeat("x", 64) + "@b.co"},
		{long, long, long},
		{"a@xn--bcher-kvａ.com", "a@bücher.com", "a@xn--bcher-kva.com"},
	}
	for _, c := range cases {
		a, err := ParseAddress(c.in)
		if err != nil || a.Stored != c.stored || a.Key != c.key {
			t.Errorf("%q: %+v, %v; want %q, %q", c.in, a, err, c.stored, c.key)
		}
	}
}

// TestParseAddressRefuses lists what is no address.
func TestParseAddressRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"x" + longAddress(),
		"J. Doe <a@b.co>",
		`"" <a@b.co>`,
		`Bob "B" <a@b.co>`,
		"<<a@b.co>>",
		"<a@b.co",
		"a@b.co>",
		"<a@b.co> x",
		"<a@b.co>, <c@b.co>",
		"<a@b.co\n>",
		"<>",
		"a@x.com,b@y.co",
		"=?utf-8?q?a?= <a@b.co",
		"mıke@b.co",
		"\u212A@b.co",
		"ａ@b.co",
		"a＠b.co",
		"a@[127.0.0.1]",
		"a@[IPv6:::1]",
		"a.@b.co",
		"a..b@b.co",
		"a@b.co.",
		"a@b.co。",
		"a@b-.co",
		"a@b.－c.co",
		"a@ab--c.co",
		"a@äö--c.co",
		"a@xn--.co",
		"a@xn--a.co",
		"a@xn--bcher-kva-.com",
		"a@xn--a-ecp.ru.co",
		"a@💩.com",
		"a@⒈b.com",
		"a@≠.com",
		"a@a\u200Db.com",
		"a@xn--ü.com",
		"a@xℕ--é-.com", // the capital comes out of the mapping
		"a@b.Ｘℕ--a\u0301-.com",
		"a@xn--İ-.com", // the small letter is two characters
		"a@xn--é-。com",
		"a@xn--ß-.com",
		"a@x\uFE0Fn--漢-.com",
		"a@xn---fbp.com", // decodes, but is not how that label is encoded
		"a@a\u00ADb.com",
		"a@\u0301b.com",
		"a@a·b.com",
		"a@אa.com",
		"a@b%.co",
		"a@b.home.arpa",
		"a@x.onion",
		"a@x.localhost",
		"a@x.LOCAL",
		"a@x.test",
		"a@" + strings.Repeat("b", 64) + ".co",
		"a@b.co\x00",
		"a\xff@b.co",
		`"` + strings.Repeat("x", 2050) + `" <a@b.co>`,
	} {
		if a, err := ParseAddress(in); KindOf(err) != KindInvalid || a != (Address{}) {
			t.Errorf("%q: %+v, %v", in, a, err)
		}
	}
}

func TestEnvelope(t *testing.T) {
	t.Parallel()
	a, err := ParseAddress("Max@Bücher.com")
	if got := a.Envelope(); err != nil || got != "Max@xn--bcher-kva.com" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestSuggestAddress(t *testing.T) {
	t.Parallel()
	cases := []struct{ in, want string }{
		{"Al@gmial.com", "Al@gmail.com"},
		{"a@gmai.com", "a@gmail.com"},
		{"a@gmail.con", "a@gmail.com"},
		{"a@gmial.con", "a@gmail.com"},
		{"a@gmail.co", "a@gmail.com"},
		{"a@yaho.com", "a@yahoo.com"},
		{"a@yahho.com", "a@yahoo.com"},
		{"a@hotmal.com", "a@hotmail.com"},
		{"a@hotmail.co.ku", "a@hotmail.co.uk"},
		{"a@acme.con", "a@acme.com"},
		{"a@acme.ogr", "a@acme.org"},
		{"a@gmail.com", ""},
		{"a@ymail.com", ""},
		{"a@mail.com", ""},
		{"a@yahoo.fr", ""},
		{"a@example.com", ""},
		{"a@b.co", ""},
		{"a@gail.example.com", ""},
		{"nothing", ""},
	}
	for _, c := range cases {
		if got := SuggestAddress(c.in); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
	for tld := range strings.FieldsSeq("con cmo ocm vom xom cpm comm coom ccom comn copm ner nte ent nett ogr rog orgg orq") {
		if topLevelMeant(tld) == tld {
			t.Errorf("%q is not corrected", tld)
		}
		if _, icann := publicsuffix.PublicSuffix("a." + tld); icann {
			t.Errorf("%q exists", tld)
		}
	}
}

func TestMaskAddress(t *testing.T) {
	t.Parallel()
	cases := []struct{ in, want string }{
		{"alice@example.com", "a…e@ex…le.com"},
		{"al@b.co", "a…@b….co"},
		{"a@sub.example.co.uk", "a…@su…le.co.uk"},
		{"zoë@bücher.de", "z…ë@bü…er.de"},
		{"a@github.io", "a…@gi…io"},
		{"a@localhost", "a…@lo…st"},
		{"nothing", "…"},
		{"@", "…"},
		{"", "…"},
	}
	for _, c := range cases {
		if got := MaskAddress(c.in); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}

// FuzzParseAddress checks that what is stored is an address again, with the
// same key, and that keys and envelopes are safe to put into a mail header.
func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{
		"a@b.co", "Bob <A@b.co>", `"x" <a@BÜCHER.com>`, "a@xn--10cl1a0b660p.com", "a@b。co", "a@\u1E9E.de",
		"a@אב.com", "a@l·l.cat", "a@b.co\r\nBcc: x@y.co", "a@👍.co", "a@xn--a.co", "a@1.2.3.4", "postMaster@b.co", "a@xℕ--é-.com", "a@xn--İ-.com", "a@xn--bcher-kvａ.com",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			if a != (Address{}) || KindOf(err) != KindInvalid {
				t.Fatalf("%q: %+v, %v", s, a, err)
			}
			return
		}
		again, err := ParseAddress(a.Stored)
		if err != nil || again != a {
			t.Fatalf("%q: %+v, then %+v, %v", s, a, again, err)
		}
		byKey, err := ParseAddress(a.Key)
		if err != nil || byKey.Key != a.Key {
			t.Fatalf("%q: key %q gives %+v, %v", s, a.Key, byKey, err)
		}
		if a.Key != strings.ToLower(a.Key) || strings.ContainsFunc(a.Key+a.Envelope(), func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Fatalf("%q: key %q, envelope %q", s, a.Key, a.Envelope())
		}
		if len(a.Stored) > MaxAddressLength || len(a.Key) > MaxAddressLength {
			t.Fatalf("%q: too long", s)
		}
		SuggestAddress(s)
		MaskAddress(s)
	})
}
