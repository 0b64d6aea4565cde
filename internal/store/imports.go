package store

import (
	"encoding/json"
	"time"

	"portico"
)

const importColumns = `id, organization_id, portal_id, created_by, state, message, send_email, row_count, parts,
	next_part, counts, suggestions, problem, created_at, modified_at`

func scanImport(row scanner) (portico.Import, error) {
	var m portico.Import
	var counts string
	var created, modified int64
	err := row.Scan(&m.ID, &m.OrganizationID, &m.PortalID, &m.CreatedBy, &m.State, &m.Message, &m.SendEmail, &m.Rows, &m.Parts,
		&m.NextPart, &counts, &m.Suggestions, &m.Problem, &created, &modified)
	if err != nil {
		return portico.Import{}, notFound(err)
	}
	m.CreatedAt, m.ModifiedAt = fromMicros(created), fromMicros(modified)
	return m, json.Unmarshal([]byte(counts), &m.Counts)
}

func countsText(counts map[portico.Verdict]int) string {
	text, err := json.Marshal(counts)
	if err != nil {
		panic("store: a map of strings and numbers did not marshal: " + err.Error())
	}
	return string(text)
}

// InsertImport writes a new import with its rows, split into parts.
func (tx *Tx) InsertImport(m portico.Import, parts [][]portico.ImportRow) error {
	_, err := tx.q.Exec(`INSERT INTO imports (id, organization_id, portal_id, created_by, state, message, send_email,
		row_count, parts, next_part, counts, suggestions, problem, created_at, modified_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, '', $13, $14)`,
		m.ID, m.OrganizationID, m.PortalID, m.CreatedBy, string(m.State), m.Message, boolInt(m.SendEmail),
		m.Rows, m.Parts, m.NextPart, countsText(m.Counts), m.Suggestions, micros(m.CreatedAt), micros(m.ModifiedAt))
	if err != nil {
		return err
	}
	for i, rows := range parts {
		content, err := json.Marshal(rows)
		if err != nil {
			return err
		}
		_, err = tx.q.Exec(`INSERT INTO import_parts (import_id, part, content) VALUES ($1, $2, $3)`, m.ID, i, string(content))
		if err != nil {
			return err
		}
	}
	return nil
}

// Import returns an import into a portal of an organization.
func (tx *Tx) Import(id, portalID, organizationID string) (portico.Import, error) {
	if !portico.ValidID(id, portico.PrefixImport) {
		id = ""
	}
	return scanImport(tx.q.QueryRow(`SELECT `+importColumns+` FROM imports
		WHERE id = $1 AND portal_id = $2 AND organization_id = $3`, id, portalID, organizationID))
}

// ImportByID returns an import whatever its organization, for its job.
func (tx *Tx) ImportByID(id string) (portico.Import, error) {
	return scanImport(tx.q.QueryRow(`SELECT `+importColumns+` FROM imports WHERE id = $1`, id))
}

// Imports returns a portal's newest imports.
func (tx *Tx) Imports(portalID string, limit int) ([]portico.Import, error) {
	var all []portico.Import
	err := scanAll(tx.q, `SELECT `+importColumns+` FROM imports WHERE portal_id = $1 ORDER BY id DESC LIMIT $2`,
		[]any{portalID, limit}, func(row scanner) error {
			m, err := scanImport(row)
			all = append(all, m)
			return err
		})
	return all, err
}

// ImportRows returns the rows of an import's parts from the given one on, at
// most so many parts of them.
func (tx *Tx) ImportRows(importID string, from, parts int) ([]portico.ImportRow, error) {
	var all []portico.ImportRow
	err := scanAll(tx.q, `SELECT content FROM import_parts WHERE import_id = $1 AND part >= $2 ORDER BY part LIMIT $3`,
		[]any{importID, from, parts}, func(row scanner) error {
			var content string
			if err := row.Scan(&content); err != nil {
				return err
			}
			var rows []portico.ImportRow
			err := json.Unmarshal([]byte(content), &rows)
			all = append(all, rows...)
			return err
		})
	return all, err
}

// SetImportState moves an import from one state to another, and reports
// whether it was in the first.
func (tx *Tx) SetImportState(id string, from, to portico.ImportState, problem string) (bool, error) {
	n, err := tx.q.Exec(`UPDATE imports SET state = $3, problem = $4, modified_at = $5 WHERE id = $1 AND state = $2`,
		id, string(from), string(to), problem, micros(tx.Now))
	return n == 1, err
}

// AdvanceImport notes that an import's next part is worked off, with these
// results and these counts of the whole. It reports false, and changes nothing,
// when that part is not the next any more.
func (tx *Tx) AdvanceImport(m portico.Import, rows []portico.ImportRow) (bool, error) {
	n, err := tx.q.Exec(`UPDATE imports SET next_part = next_part + 1, counts = $3, state = $4, modified_at = $5
		WHERE id = $1 AND next_part = $2 AND state = 'sending'`,
		m.ID, m.NextPart, countsText(m.Counts), string(m.State), micros(tx.Now))
	if err != nil || n == 0 {
		return false, err
	}
	content, err := json.Marshal(rows)
	if err != nil {
		return false, err
	}
	_, err = tx.q.Exec(`UPDATE import_parts SET content = $3 WHERE import_id = $1 AND part = $2`, m.ID, m.NextPart, string(content))
	return true, err
}

// DeleteImport removes a draft, and reports whether there was one.
func (tx *Tx) DeleteImport(id string) (bool, error) {
	n, err := tx.q.Exec(`DELETE FROM imports WHERE id = $1 AND state = 'draft'`, id)
	if err != nil || n == 0 {
		return false, err
	}
	_, err = tx.q.Exec(`DELETE FROM import_parts WHERE import_id = $1`, id)
	return true, err
}

// ForgetImports removes the imports that were not touched since a time.
func (tx *Tx) ForgetImports(before time.Time) error {
	for _, statement := range []string{
		`DELETE FROM import_parts WHERE import_id IN (SELECT id FROM imports WHERE modified_at < $1)`,
		`DELETE FROM imports WHERE modified_at < $1`,
	} {
		if _, err := tx.q.Exec(statement, micros(before)); err != nil {
			return err
		}
	}
	return nil
}

// HolderOf returns an account in an organization as a request of its would be
// judged now.
func (tx *Tx) HolderOf(accountID, organizationID string) (Holder, error) {
	h := Holder{Principal: portico.Principal{AccountID: accountID, OrganizationID: organizationID}}
	var suspended int64
	err := tx.q.QueryRow(`SELECT `+holderColumns+`
		FROM (SELECT id AS account_id, CAST($2 AS TEXT) AS organization_id FROM accounts WHERE id = $1) c `+holderJoins,
		accountID, organizationID).Scan(&h.Kind, &suspended, &h.Role, &h.Proven)
	h.Suspended = suspended > 0
	return h, notFound(err)
}
