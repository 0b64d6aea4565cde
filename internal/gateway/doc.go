// Package gateway serves guests: the portals' hosts and the one host where all
// of them sign in. It says which host a request is for, shows every page that a
// guest meets, and tells the app behind a portal who the guest is.
//
// It owns hosts, cookies and pages, and decides nothing: each request asks
// package control once, which reads the registry then, so that what has ended
// has ended at the next request. It knows neither the API nor the
// administrators' pages, which are on another host.
//
// Two hosts share a sign-in without sharing a cookie. The portal's host sends
// the browser to the sign-in host with the hash of a secret that it keeps in a
// cookie; the sign-in host sends it back with a code; the portal's host redeems
// the code together with the secret, once (enter.go).
//
// Start with Gateway in gateway.go, then hosts.go, portalhost.go and
// signinhost.go.
package gateway
