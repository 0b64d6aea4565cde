package store

import (
	"database/sql"
	"strings"
	"time"

	"portico"
)

// Token is a personal access token: opaque, known by its hash only, bound to
// one organization.
type Token struct {
	ID             string
	AccountID      string
	OrganizationID string
	Name           string
	Hash           string
	Scopes         []portico.Scope // nil means all
	CreatedAt      time.Time
	ExpiresAt      *time.Time // nil: never
	LastUsedAt     *time.Time // nil: not yet; exact to a minute
}

//nolint:gosec // names of columns, no credential
const tokenColumns = `c.id, c.account_id, c.organization_id, c.name, c.hash, c.scopes,
	c.created_at, c.expires_at, c.last_used_at`

func scanToken(row scanner, more ...any) (Token, error) {
	var t Token
	var scopes sql.NullString
	var created int64
	var expires, used sql.NullInt64
	dest := append([]any{&t.ID, &t.AccountID, &t.OrganizationID, &t.Name, &t.Hash, &scopes, &created, &expires, &used}, more...)
	if err := row.Scan(dest...); err != nil {
		return Token{}, notFound(err)
	}
	if scopes.Valid {
		t.Scopes = []portico.Scope{}
		for s := range strings.FieldsSeq(scopes.String) {
			t.Scopes = append(t.Scopes, portico.Scope(s))
		}
	}
	t.CreatedAt, t.ExpiresAt, t.LastUsedAt = fromMicros(created), timeOrNil(expires), timeOrNil(used)
	return t, nil
}

func timeOrNil(us sql.NullInt64) *time.Time {
	if !us.Valid {
		return nil
	}
	at := fromMicros(us.Int64)
	return &at
}

func microsOrNull(t *time.Time) any {
	if t == nil {
		return nil
	}
	return micros(*t)
}

// InsertToken writes a new token.
func (tx *Tx) InsertToken(t Token) error {
	var scopes any
	if t.Scopes != nil {
		words := make([]string, len(t.Scopes))
		for i, s := range t.Scopes {
			words[i] = string(s)
		}
		scopes = strings.Join(words, " ")
	}
	_, err := tx.q.Exec(`INSERT INTO tokens (id, account_id, organization_id, name, hash, scopes,
		created_at, expires_at, last_used_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		t.ID, t.AccountID, t.OrganizationID, t.Name, t.Hash, scopes,
		micros(t.CreatedAt), microsOrNull(t.ExpiresAt), microsOrNull(t.LastUsedAt))
	return err
}

// TokenByHash returns a token with its holder, in one query.
func (tx *Tx) TokenByHash(hash string) (Token, Holder, error) {
	var h Holder
	var suspended int64
	t, err := scanToken(tx.q.QueryRow(`SELECT `+tokenColumns+`, `+holderColumns+`
		FROM tokens c `+holderJoins+` WHERE c.hash = $1`, hash), &h.Kind, &suspended, &h.Role, &h.Proven)
	if err != nil {
		return Token{}, Holder{}, err
	}
	h.AccountID, h.OrganizationID, h.TokenID, h.Scopes = t.AccountID, t.OrganizationID, t.ID, t.Scopes
	h.Suspended = suspended > 0
	return t, h, nil
}

// Tokens returns an account's tokens for an organization, oldest first.
func (tx *Tx) Tokens(accountID, organization string) ([]Token, error) {
	var all []Token
	err := scanAll(tx.q, `SELECT `+tokenColumns+` FROM tokens c
		WHERE c.account_id = $1 AND c.organization_id = $2 ORDER BY c.created_at, c.id`,
		[]any{accountID, organization}, func(row scanner) error {
			t, err := scanToken(row)
			all = append(all, t)
			return err
		})
	return all, err
}

// DeleteToken revokes a token of an account for an organization, and reports
// whether there was one.
func (tx *Tx) DeleteToken(id, accountID, organization string) (bool, error) {
	if !portico.ValidID(id, portico.PrefixToken) {
		id = ""
	}
	n, err := tx.q.Exec(`DELETE FROM tokens WHERE id = $1 AND account_id = $2 AND organization_id = $3`,
		id, accountID, organization)
	return n == 1, err
}

// SetTokenUsed writes when a token was last used; never an earlier time than
// was known.
func (tx *Tx) SetTokenUsed(id string, at time.Time) error {
	_, err := tx.q.Exec(`UPDATE tokens SET last_used_at = $2
		WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)`, id, micros(at))
	return err
}
