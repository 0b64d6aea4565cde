package sqlite

import "testing"

func TestPositional(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`SELECT 1`: `SELECT 1`,
		`SELECT a FROM t WHERE a = $1 AND b IN ($2,$3)`: `SELECT a FROM t WHERE a = ? AND b IN (?,?)`,
		`INSERT INTO t VALUES ($1,'$2',$2) RETURNING a`: `INSERT INTO t VALUES (?,'$2',?) RETURNING a`,
		`SELECT "a$1", 'it''s $9', b FROM t LIMIT $1`:   `SELECT "a$1", 'it''s $9', b FROM t LIMIT ?`,
		`UPDATE t SET a = $2 WHERE b = $1`:              `UPDATE t SET a = $2 WHERE b = $1`,
		`INSERT INTO t VALUES ($1, $1)`:                 `INSERT INTO t VALUES ($1, $1)`,
		`SELECT $1, $3`:                                 `SELECT $1, $3`,
		`SELECT $1, ?`:                                  `SELECT $1, ?`,
		`SELECT $01`:                                    `SELECT $01`,
		`SELECT $name, $1`:                              `SELECT $name, $1`,
		`SELECT $1 -- it's`:                             `SELECT $1 -- it's`,
		`SELECT $1, 'open`:                              `SELECT $1, 'open`,
		`SELECT $1 - $2 / 3`:                            `SELECT ? - ? / 3`,
	} {
		if got := positional(text); got != want {
			t.Errorf("positional(%s) = %s, want %s", text, got, want)
		}
	}
}
