package web

import (
	"net/http"
	"strings"
)

// setPolicy sets the headers that every page has: nothing but the product's own
// files is loaded, and no other page frames it, opens it or learns its address.
func setPolicy(h http.Header, page Page) {
	form := strings.Join(append([]string{"form-action 'self'"}, page.FormAction...), " ")
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "+
		"connect-src 'self'; "+form+"; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if page.Secret {
		// With it a browser sends "Origin: null" with the page's own forms. They
		// pass Protect by Sec-Fetch-Site, which is sent over TLS and to localhost.
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Robots-Tag", "noindex, nofollow")
	}
}

// Protect refuses what changes something and does not come from a page of the
// same origin: the browser says where it comes from, and there are no
// exceptions. What says nothing about its origin is no form of ours.
func (p *Pages) Protect(next http.Handler) http.Handler {
	var protection http.CrossOriginProtection
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if changes(r.Method) && (protection.Check(r) != nil || saysNothing(r)) {
			p.Fail(w, r, Problem{
				Status: http.StatusForbidden, Title: "This form was not sent from here",
				Text: "Nothing was changed. Open the page again and send the form from there.",
			})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func changes(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

func saysNothing(r *http.Request) bool {
	return r.Header.Get("Origin") == "" && r.Header.Get("Sec-Fetch-Site") == ""
}
