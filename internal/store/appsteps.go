package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"portico"
)

// AppStep is one numbered step of the schema of the platform's own app. The
// steps are the operator's files, in the dialect of the engine.
type AppStep struct {
	Version int
	Name    string // of the file
	Hash    string // of its content
	SQL     string
}

// appStepName is the only form of a step's name: the number is the version.
var appStepName = regexp.MustCompile(`^([0-9]{4})_[a-z0-9_-]+\.sql$`)

// ReadAppSteps reads the steps in a folder: 0001_name.sql and on, without a
// gap. What it refuses it says so that the file can be put right.
func ReadAppSteps(folder fs.FS) ([]AppStep, error) {
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return nil, err
	}
	var steps []AppStep
	for _, entry := range entries { // in order of name
		name := entry.Name()
		if !strings.HasSuffix(strings.ToLower(name), ".sql") {
			continue
		}
		version := len(steps) + 1
		switch {
		case !appStepName.MatchString(name):
			return nil, stepRefused(name, "its name must be four digits, an underscore, and a name in lower-case letters, digits, _ and -, such as %04d_orders.sql", version)
		case !strings.HasPrefix(name, fmt.Sprintf("%04d_", version)):
			return nil, stepRefused(name, "the next number is %04d: numbers begin with 0001, without a gap, and none is used twice", version)
		}
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, err
		}
		if err := checkAppStep(name, string(text)); err != nil {
			return nil, err
		}
		sum := sha256.Sum256(text)
		steps = append(steps, AppStep{Version: version, Name: name, Hash: hex.EncodeToString(sum[:]), SQL: string(text)})
	}
	return steps, nil
}

func stepRefused(name, format string, args ...any) error {
	return portico.Errorf(portico.KindInvalid, "%s: %s.", name, fmt.Sprintf(format, args...))
}

// transactionWords begin the statements that would end the transaction in
// which a step is taken, or begin one of their own.
var transactionWords = []string{"ABORT", "BEGIN", "COMMIT", "END", "PREPARE TRANSACTION", "RELEASE", "ROLLBACK", "SAVEPOINT", "START"}

// checkAppStep refuses a text that cannot be taken as one step.
func checkAppStep(name, text string) error {
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return stepRefused(name, "it is not UTF-8 text")
	}
	statements := statementWords(text)
	if len(statements) == 0 {
		return stepRefused(name, "it holds no statement")
	}
	for _, words := range statements {
		for _, word := range transactionWords {
			if words == word || strings.HasPrefix(words, word+" ") {
				return stepRefused(name, "it holds %s, but each file is one transaction by itself: take the statement out", word)
			}
		}
	}
	return nil
}

// CheckAppSteps compares the steps that were taken with those at hand: a file
// that was changed since is refused. Of which there are fewer does not matter:
// one side is older.
func CheckAppSteps(steps, taken []AppStep) error {
	for i, t := range taken {
		if t.Version != i+1 {
			return portico.Errorf(portico.KindConflict, "The record of the steps that the app's schema has taken is damaged: step %04d is missing in it.", i+1)
		}
		if i < len(steps) && steps[i].Hash != t.Hash {
			return portico.Errorf(portico.KindConflict,
				"%s was changed since it was applied (as %s). Put it back as it was, and write the change as a new step.", steps[i].Name, t.Name)
		}
	}
	return nil
}

// AppSteps returns the steps that were ever applied to a portal, without their
// texts.
func (tx *Tx) AppSteps() ([]AppStep, error) {
	var steps []AppStep
	err := scanAll(tx.q, `SELECT version, name, hash FROM app_steps ORDER BY version`, nil, func(row scanner) error {
		var s AppStep
		err := row.Scan(&s.Version, &s.Name, &s.Hash)
		steps = append(steps, s)
		return err
	})
	return steps, err
}

// RecordAppSteps notes that the first steps were applied to a portal. What is
// known already stays.
func (tx *Tx) RecordAppSteps(applied []AppStep) error {
	known, err := tx.AppSteps()
	if err != nil || len(known) >= len(applied) {
		return err
	}
	return insertRows(tx.q, `INSERT INTO app_steps (version, name, hash, applied_at)`, `ON CONFLICT (version) DO NOTHING`, 4,
		slices.Clone(applied[len(known):]), func(args []any, s AppStep) []any {
			return append(args, s.Version, s.Name, s.Hash, micros(tx.Now))
		})
}
