package portico

import (
	"encoding/csv"
	"errors"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// RecipientLine is one recipient of a pasted list or a CSV file.
type RecipientLine struct {
	Line      int // that it stands on, from 1
	Recipient Recipient
	Status    string // of an earlier try, where the list is the result of one
}

// ParseRecipients reads whom to invite from text as people have it: a CSV file
// with or without headings, separated by commas, semicolons or tabs, or a list
// of addresses in lines or a row, each bare or as "Ada Lovelace <ada@b.co>".
// Headings are known in any letter case: email, first_name, last_name, name,
// status, and how spreadsheets spell them. Without headings every cell with an
// @-sign is a recipient; the other cells of a row with one are first and last
// name. Whether an address is one is not judged here. The error is KindInvalid:
// the text is not UTF-8, or its headings name no address.
func ParseRecipients(text string) ([]RecipientLine, error) {
	if !utf8.ValidString(text) {
		return nil, Errorf(KindInvalid, "The list is not UTF-8 text. Save it again as \"CSV UTF-8\".")
	}
	text = strings.TrimPrefix(text, "\ufeff")
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	text = quotedName.ReplaceAllStringFunc(text, func(name string) string {
		return strings.Map(func(r rune) rune {
			if strings.ContainsRune("\",;\t", r) {
				return -1
			}
			return r
		}, name)
	})
	rows := csv.NewReader(strings.NewReader(text))
	rows.Comma = separator(text)
	rows.FieldsPerRecord = -1
	rows.LazyQuotes = true
	rows.TrimLeadingSpace = true
	var all []RecipientLine
	var columns map[string]int
	for first := true; ; first = false {
		cells, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, WrapError(KindInvalid, err, "The list could not be read as CSV.")
		}
		line, _ := rows.FieldPos(0)
		if first {
			if columns = headings(cells); columns != nil {
				if _, ok := columns["email"]; !ok {
					return nil, Errorf(KindInvalid, "The list has headings, but none of them is \"email\".")
				}
				continue
			}
		}
		if columns != nil {
			all = appendNamed(all, line, cells, columns)
		} else {
			all = appendCells(all, line, cells)
		}
	}
}

// quotedName is a name in quotes before an address in brackets, as mail programs
// write it. To a CSV reader it would be a cell with something behind it.
var quotedName = regexp.MustCompile(`"[^"\n]*" *<`)

// separator returns what parts the cells of the first line that has any.
func separator(text string) rune {
	for line := range strings.Lines(text) {
		best, most := ',', 0
		for _, c := range ",;\t" {
			if n := strings.Count(line, string(c)); n > most {
				best, most = c, n
			}
		}
		if most > 0 {
			return best
		}
	}
	return ','
}

// headings returns the columns by what they hold, or nil when the cells are no
// headings: one of them is known, and none looks like an address.
func headings(cells []string) map[string]int {
	columns := map[string]int{}
	for i, cell := range cells {
		if strings.Contains(cell, "@") {
			return nil
		}
		word := strings.Map(func(r rune) rune {
			if strings.ContainsRune(" _-.", r) {
				return -1
			}
			return r
		}, strings.ToLower(strings.TrimSpace(cell)))
		name := headingWords[word]
		if _, taken := columns[name]; name != "" && !taken {
			columns[name] = i
		}
	}
	if len(columns) == 0 {
		return nil
	}
	return columns
}

// headingWords is what a heading says, in lower case and without what joins
// words, and which column that is.
var headingWords = map[string]string{
	"email": "email", "mail": "email", "emailaddress": "email", "address": "email", "mailaddress": "email", "user": "email",
	"firstname": "first", "givenname": "first", "forename": "first", "first": "first",
	"lastname": "last", "surname": "last", "familyname": "last", "last": "last",
	"name": "name", "fullname": "name", "displayname": "name",
	"status": "status", "verdict": "status",
}

// appendNamed appends the recipient of a row under headings. An empty row is
// none.
func appendNamed(all []RecipientLine, line int, cells []string, columns map[string]int) []RecipientLine {
	cell := func(name string) string {
		if i, ok := columns[name]; ok && i < len(cells) {
			return strings.TrimSpace(cells[i])
		}
		return ""
	}
	if strings.TrimSpace(strings.Join(cells, "")) == "" {
		return all
	}
	r := Recipient{Email: cell("email"), FirstName: cell("first"), LastName: cell("last")}
	if r.FirstName == "" && r.LastName == "" {
		r.FirstName, r.LastName = splitName(cell("name"))
	}
	return append(all, RecipientLine{Line: line, Recipient: named(r), Status: cell("status")})
}

// appendCells appends the recipients of a row without headings.
func appendCells(all []RecipientLine, line int, cells []string) []RecipientLine {
	var addresses, names []string
	for _, cell := range cells {
		switch cell = strings.TrimSpace(cell); {
		case strings.Contains(cell, "@"):
			addresses = append(addresses, cell)
		case cell != "":
			names = append(names, cell)
		}
	}
	if len(addresses) == 0 && len(names) > 0 {
		addresses, names = names[:1], names[1:] // an address without its @-sign: judged, and shown as wrong
	}
	for _, address := range addresses {
		r := Recipient{Email: address}
		if len(addresses) == 1 && len(names) > 0 {
			r.FirstName, r.LastName = names[0], strings.Join(names[1:], " ")
		}
		all = append(all, RecipientLine{Line: line, Recipient: named(r)})
	}
	return all
}

// named takes the name from "Ada Lovelace <ada@b.co>" where no other is given.
func named(r Recipient) Recipient {
	shown, rest, ok := strings.Cut(r.Email, "<")
	address, _, closed := strings.Cut(rest, ">")
	if !ok || !closed {
		return r
	}
	r.Email = strings.TrimSpace(address)
	if r.FirstName == "" && r.LastName == "" {
		r.FirstName, r.LastName = splitName(strings.Trim(strings.TrimSpace(shown), `"`))
	}
	return r
}

func splitName(name string) (first, last string) {
	first, last, _ = strings.Cut(strings.TrimSpace(name), " ")
	return first, strings.TrimSpace(last)
}
