package store

import "strings"

// statementWords returns, of each statement of a script, the first two words in
// capitals: enough to tell a statement about transactions. Words in comments,
// strings, and bodies of triggers and functions are no statement's.
func statementWords(script string) []string {
	var statements []string
	s := scan{text: script}
	for {
		word, ok := s.word()
		if !ok {
			return statements
		}
		if word == ";" {
			continue
		}
		words := []string{word}
		body := 0 // how deep in a body of BEGIN … END
		for {
			word, ok = s.word()
			if !ok || word == ";" && body == 0 {
				break
			}
			if len(words) == 1 {
				words = append(words, word)
			}
			switch {
			case words[0] == "CREATE" && word == "BEGIN", body > 0 && word == "CASE":
				body++
			case body > 0 && word == "END":
				body--
			}
		}
		statements = append(statements, strings.Join(words, " "))
	}
}

// scan goes through a script word by word.
type scan struct {
	text string
	at   int
}

// word returns the next word in capitals, a semicolon, or "." for a piece that
// is neither: a string, a number, a sign. ok is false at the end.
func (s *scan) word() (word string, ok bool) {
	for s.at < len(s.text) {
		rest := s.text[s.at:]
		switch c := rest[0]; {
		case strings.IndexByte(" \t\r\n\f\v", c) >= 0 || strings.HasPrefix(rest, "\ufeff"):
			s.at++
			if c == 0xef {
				s.at += 2
			}
		case strings.HasPrefix(rest, "--"):
			s.skipTo("\n", 2)
		case strings.HasPrefix(rest, "/*"):
			s.comment()
		case c == ';':
			s.at++
			return ";", true
		case c == '\'' || c == '"' || c == '`':
			s.quoted(c)
			return ".", true
		case c == '$':
			s.dollars()
			return ".", true
		case isWord(c):
			begin := s.at
			for s.at < len(s.text) && (isWord(s.text[s.at]) || s.text[s.at] == '$') {
				s.at++
			}
			word := strings.ToUpper(s.text[begin:s.at])
			if word == "E" && strings.HasPrefix(s.text[s.at:], "'") {
				s.escaped()
				return ".", true
			}
			return word, true
		default:
			s.at++
			return ".", true
		}
	}
	return "", false
}

func isWord(c byte) bool {
	return c == '_' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// skipTo goes behind the next mark, or to the end where there is none.
func (s *scan) skipTo(mark string, from int) {
	i := strings.Index(s.text[s.at+from:], mark)
	if i < 0 {
		s.at = len(s.text)
		return
	}
	s.at += from + i + len(mark)
}

// comment skips a comment. PostgreSQL's nest and SQLite's do not: where they
// differ, the shorter reading shows more statements, so it is the one taken.
func (s *scan) comment() { s.skipTo("*/", 2) }

// quoted skips a string or a quoted name; a doubled mark in it begins another,
// which comes to the same.
func (s *scan) quoted(mark byte) { s.skipTo(string(mark), 1) }

// escaped skips a string in which a backslash takes the meaning of what
// follows.
func (s *scan) escaped() {
	for s.at++; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case '\\':
			s.at++
		case '\'':
			s.at++
			return
		}
	}
	s.at = len(s.text)
}

// dollars skips PostgreSQL's $tag$ … $tag$. A dollar that begins none is a
// sign.
func (s *scan) dollars() {
	end := s.at + 1
	for end < len(s.text) && isWord(s.text[end]) {
		end++
	}
	if end == len(s.text) || s.text[end] != '$' {
		s.at++
		return
	}
	s.skipTo(s.text[s.at:end+1], end+1-s.at)
}
