package web

import (
	"net/http"
	"strings"
)

// setPolicy sets the headers that every page has: nothing but the product's own
// files is loaded, and no other page frames it, opens it or learns its address.
// Names are as http.Header keeps them, and the values have one array.
func setPolicy(h http.Header, page Page) {
	sources := policyStart + policyEnd
	if len(page.FormAction) > 0 {
		sources = policyStart + " " + strings.Join(page.FormAction, " ") + policyEnd
	}
	referrer := "same-origin"
	if page.Secret {
		// With it a browser sends "Origin: null" with the page's own forms. They
		// pass Protect by Sec-Fetch-Site, which is sent over TLS and to localhost.
		referrer = "no-referrer"
		h["X-Robots-Tag"] = []string{"noindex, nofollow"}
	}
	all := []string{
		"Content-Type", "text/html; charset=utf-8",
		"Content-Security-Policy", sources,
		"X-Content-Type-Options", "nosniff",
		"X-Frame-Options", "DENY",
		"Cross-Origin-Opener-Policy", "same-origin",
		"Cross-Origin-Resource-Policy", "same-origin",
		"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
		"Referrer-Policy", referrer,
		"Cache-Control", "no-store",
	}
	for i := 0; i < len(all); i += 2 {
		h[all[i]] = all[i+1 : i+2 : i+2]
	}
}

const (
	policyStart = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'"
	policyEnd   = "; base-uri 'none'; frame-ancestors 'none'"
)

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
