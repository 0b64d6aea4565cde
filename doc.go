// Package portico holds the nouns of the portal service and the rules about
// them: organizations, portals, accounts, memberships, invitations, the
// addresses and host names that they carry, the permission rules, and the one
// error type.
//
// Everything here is a pure function or a plain value: no I/O, no clock, no
// storage. It imports the standard library and golang.org/x only.
//
// Start with portal.go, then actor.go (who may do what) and error.go.
package portico
