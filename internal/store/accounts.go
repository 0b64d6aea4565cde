package store

import (
	"database/sql"
	"errors"

	"portico"
)

const accountColumns = `a.id, a.email, a.email_key, a.name, a.proven, a.created_at, a.last_organization_id`

func scanAccount(row scanner) (portico.Account, error) {
	var a portico.Account
	var created int64
	err := row.Scan(&a.ID, &a.Email, &a.EmailKey, &a.Name, &a.Proven, &created, &a.LastOrganizationID)
	if err != nil {
		return portico.Account{}, notFound(err)
	}
	a.CreatedAt = fromMicros(created)
	return a, nil
}

// InsertAccount writes a new account.
func (tx *Tx) InsertAccount(a portico.Account) error {
	return tx.InsertAccounts([]portico.Account{a})
}

// InsertAccounts writes new accounts, several to a statement.
func (tx *Tx) InsertAccounts(accounts []portico.Account) error {
	return insertRows(tx.q, `INSERT INTO accounts (id, email, email_key, name, proven, created_at, last_organization_id)`,
		"", 7, accounts, func(args []any, a portico.Account) []any {
			return append(args, a.ID, a.Email, a.EmailKey, a.Name, boolInt(a.Proven), micros(a.CreatedAt), a.LastOrganizationID)
		})
}

// Account returns an account.
func (tx *Tx) Account(id string) (portico.Account, error) {
	if !portico.ValidID(id, portico.PrefixAccount) {
		id = ""
	}
	return scanAccount(tx.q.QueryRow(`SELECT `+accountColumns+` FROM accounts a WHERE a.id = $1`, id))
}

// AccountByKey returns the account of a canonical address.
func (tx *Tx) AccountByKey(key string) (portico.Account, error) {
	return scanAccount(tx.q.QueryRow(`SELECT `+accountColumns+` FROM accounts a WHERE a.email_key = $1`, key))
}

// AccountsByKeys returns the accounts of canonical addresses, by address. An
// address without an account is not in the map.
func (tx *Tx) AccountsByKeys(keys []string) (map[string]portico.Account, error) {
	found := make(map[string]portico.Account, len(keys))
	err := selectIn(tx.q, func(list string) string {
		return `SELECT ` + accountColumns + ` FROM accounts a WHERE a.email_key IN ` + list
	}, nil, keys, func(row scanner) error {
		a, err := scanAccount(row)
		found[a.EmailKey] = a
		return err
	})
	return found, err
}

// AccountsByIDs returns accounts by id. One that is gone is not in the map.
func (tx *Tx) AccountsByIDs(ids []string) (map[string]portico.Account, error) {
	found := make(map[string]portico.Account, len(ids))
	err := selectIn(tx.q, func(list string) string {
		return `SELECT ` + accountColumns + ` FROM accounts a WHERE a.id IN ` + list
	}, nil, ids, func(row scanner) error {
		a, err := scanAccount(row)
		found[a.ID] = a
		return err
	})
	return found, err
}

// SetAccountProven notes that control of the account's mailbox was shown. It
// reports whether the account was unproven until now.
func (tx *Tx) SetAccountProven(id string) (bool, error) {
	n, err := tx.q.Exec(`UPDATE accounts SET proven = 1 WHERE id = $1 AND proven = 0`, id)
	return n == 1, err
}

// SetAccountName writes the name that an account goes by.
func (tx *Tx) SetAccountName(id, name string) error {
	_, err := tx.q.Exec(`UPDATE accounts SET name = $2 WHERE id = $1`, id, name)
	return err
}

// SetLastOrganization writes which organization an account signed in to last.
func (tx *Tx) SetLastOrganization(id, organizationID string) error {
	_, err := tx.q.Exec(`UPDATE accounts SET last_organization_id = $2
		WHERE id = $1 AND last_organization_id <> $2`, id, organizationID)
	return err
}

// VoidAccess deletes every credential, session and token of an account, and
// every proof of its mailbox that is under way.
func (tx *Tx) VoidAccess(accountID string) error {
	for _, query := range []string{
		`DELETE FROM credentials WHERE account_id = $1`,
		`DELETE FROM challenges WHERE account_id = $1`,
		`DELETE FROM entries WHERE session_id IN (SELECT id FROM sessions WHERE account_id = $1)`,
		`DELETE FROM sessions WHERE account_id = $1`,
		`DELETE FROM tokens WHERE account_id = $1`,
	} {
		if _, err := tx.q.Exec(query, accountID); err != nil {
			return err
		}
	}
	return nil
}

// SetPassword writes the hash of an account's password, in place of the one
// before.
func (tx *Tx) SetPassword(accountID, hash string) error {
	_, err := tx.q.Exec(`INSERT INTO credentials (id, account_id, kind, issuer, subject, secret_hash, created_at)
		VALUES ($1, $2, $3, '', '', $4, $5)
		ON CONFLICT (account_id, kind, issuer, subject)
		DO UPDATE SET id = excluded.id, secret_hash = excluded.secret_hash, created_at = excluded.created_at`,
		tx.NewID(portico.PrefixCredential), accountID, string(portico.PasswordCredential), hash, micros(tx.Now))
	return err
}

// PasswordByKey returns the account of a canonical address and the hash of its
// password; both are empty where there is none. It is one query whatever the
// answer, so that a sign-in does the same work for every address.
func (tx *Tx) PasswordByKey(key string) (portico.Account, string, error) {
	return tx.password(`a.email_key = $1`, key)
}

// PasswordByAccount is PasswordByKey for an account's id.
func (tx *Tx) PasswordByAccount(id string) (portico.Account, string, error) {
	return tx.password(`a.id = $1`, id)
}

func (tx *Tx) password(where, arg string) (portico.Account, string, error) {
	var a portico.Account
	var created int64
	var hash string
	err := tx.q.QueryRow(`SELECT `+accountColumns+`, COALESCE(c.secret_hash, '') FROM accounts a
		LEFT JOIN credentials c ON c.account_id = a.id AND c.kind = 'password' AND c.issuer = '' AND c.subject = ''
		WHERE `+where, arg).
		Scan(&a.ID, &a.Email, &a.EmailKey, &a.Name, &a.Proven, &created, &a.LastOrganizationID, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return portico.Account{}, "", nil
	}
	a.CreatedAt = fromMicros(created)
	return a, hash, err
}
