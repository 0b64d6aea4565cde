package store

import (
	"errors"
	"strings"
)

// errLook is a mistake of the code that looks.
var errLook = errors.New("store: a look is one SELECT")

// Looking is what an engine holds the statements of a Look to, so that all
// engines refuse the same. In any other transaction it is nil.
type Looking struct{ looked bool }

// Admit refuses what is not the one SELECT.
func (l *Looking) Admit(text string) error {
	switch {
	case l == nil:
		return nil
	case l.looked || !strings.HasPrefix(text, "SELECT "):
		return errLook
	}
	l.looked = true
	return nil
}
