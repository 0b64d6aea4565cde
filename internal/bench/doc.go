// Package bench measures the product beside a bare floor, in one run, and
// writes docs/benchmarks.md. It is for tests only and owns no part of the
// product; nothing that is shipped may import it.
//
// The floor is a net/http handler that does only the data work of an
// operation. It has the same driver, pragmas and schema files, one writing
// connection and a few reading ones for each database, every statement
// prepared once; it writes the same rows in the same transactions, makes
// the same files, and syncs what the product syncs before it answers:
//
//   - list: reads the portal's row from the registry and its users from the
//     portal's database, and appends the same bytes of JSON by hand;
//   - invite: one registry transaction (account, invitation, audit record, mail,
//     job), one portal transaction (user, membership), the answer, and then, as
//     the product does, one transaction that deletes all jobs finished meanwhile;
//   - create: one registry transaction (organization, label, portal), the
//     template's bytes with the identity in them, written, synced, renamed, its
//     three folders synced, one registry transaction (active, audit record);
//   - update: one registry transaction (organization, portal, audit record).
//
// It has no authentication, validation, idempotency, limits, leases, refusals,
// logs or metrics; it never looks whether an account or a label is there
// already, and a mutex is all its concurrency control. Many rows go in by
// statements of many rows, in transactions that are begun by statement, with
// contexts that cannot be cancelled, because each of these is faster: a floor
// that is slow would flatter the product. It does not group commits, which a
// plain program does not do; rows of the report on one connection show the
// product where grouping cannot help it.
//
// The floor of a portal's first page has html/template run the same templates
// with the same values into a buffer, and sends the same headers, made before.
//
// On PostgreSQL the floor of a list is the same handler over database/sql with
// the same two reads, each a statement of its own without a transaction; that
// of a create is CREATE DATABASE of the product's own template and nothing
// else. Both go to the product's server, whose data is synced as it ships.
//
// Start with TestRatios in ratios_test.go, then floor_test.go.
package bench
