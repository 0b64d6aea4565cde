package console

import (
	"html/template"
	"math"
	"net/url"
	"strconv"
	"time"

	"portico"
	"portico/internal/web"
)

// templateFuncs are what the pages say in more than one place.
func templateFuncs() template.FuncMap {
	return template.FuncMap{
		"count":      count,
		"day":        func(t time.Time) string { return t.UTC().Format("2 Jan 2006") },
		"domainChip": domainChip,
		"guestChip":  guestChip,
		"importChip": importChip,
		"portalChip": portalChip,
		"unavailable": func() web.Notice {
			return web.Notice{Kind: "bad", Title: "This portal is unavailable.", Text: "Its database is missing or damaged. The operator sees the cause. It can be deleted, and nothing else."}
		},
		"verdict": verdictChip,
		"why":     why,
	}
}

// count writes a number with the thousands parted.
func count(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// bytes writes a size in the unit that suits it.
func bytes(n int64) string {
	const k = 1000
	switch {
	case n >= k*k*k:
		return strconv.FormatFloat(float64(n)/(k*k*k), 'f', 1, 64) + " GB"
	case n >= k*k:
		return strconv.FormatFloat(float64(n)/(k*k), 'f', 1, 64) + " MB"
	default:
		return count(int(math.Ceil(float64(n)/k))) + " KB"
	}
}

func portalChip(p portico.Portal) web.Chip {
	if p.State == portico.PortalActive {
		return web.Chip{Kind: "good", Text: "Active"}
	}
	return web.Chip{Kind: "bad", Text: "Unavailable"}
}

// domainChip says how far a portal's custom domain has come; nil without one.
func domainChip(p portico.Portal) *web.Chip {
	switch p.DomainStatus {
	case portico.DomainPendingDNS:
		return &web.Chip{Kind: "busy", Text: "Waiting for DNS"}
	case portico.DomainIssuing:
		return &web.Chip{Kind: "busy", Text: "Getting a certificate"}
	case portico.DomainActive:
		return &web.Chip{Kind: "good", Text: "Serving"}
	case portico.DomainFailed:
		return &web.Chip{Kind: "bad", Text: "Needs attention"}
	}
	return nil
}

func guestChip(s portico.GuestStatus) web.Chip {
	switch s {
	case portico.GuestActive:
		return web.Chip{Kind: "good", Text: "Active"}
	case portico.GuestExpired:
		return web.Chip{Kind: "warn", Text: "Expired"}
	case portico.GuestBounced:
		return web.Chip{Kind: "bad", Text: "Bounced"}
	default:
		return web.Chip{Kind: "busy", Text: "Invited"}
	}
}

func importChip(s portico.ImportState) web.Chip {
	switch s {
	case portico.ImportDone:
		return web.Chip{Kind: "good", Text: "Sent"}
	case portico.ImportSending:
		return web.Chip{Kind: "busy", Text: "Sending"}
	case portico.ImportStopped:
		return web.Chip{Kind: "bad", Text: "Stopped"}
	default:
		return web.Chip{Text: "Draft"}
	}
}

// verdictChip says what inviting a row does, or did.
func verdictChip(r portico.ImportRow, sent bool) web.Chip {
	switch r.Verdict {
	case portico.VerdictInvited:
		if sent {
			return web.Chip{Kind: "good", Text: "Invited"}
		}
		return web.Chip{Kind: "good", Text: "Will be invited"}
	case portico.VerdictLinked:
		return web.Chip{Kind: "good", Text: "Added"}
	case portico.VerdictAlreadyMember:
		return web.Chip{Text: "Already a guest"}
	case portico.VerdictAlreadyInvited:
		return web.Chip{Text: "Already invited"}
	case portico.VerdictDuplicate:
		return web.Chip{Text: "Twice in the list"}
	default:
		if sent {
			return web.Chip{Kind: "bad", Text: "Failed"}
		}
		return web.Chip{Kind: "bad", Text: "Cannot be invited"}
	}
}

// why says in words why a row failed.
func why(detail string) string {
	switch detail {
	case portico.DetailInvalidAddress:
		return "This is no mail address."
	case portico.DetailBlocked:
		return "Mail to this address is blocked, by the person or by an operator."
	case portico.DetailOverQuota:
		return "The organization has as many guests as it may have."
	}
	return detail
}

// address returns a path with a query of the pairs that are not empty.
func address(path string, pairs ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			values.Set(pairs[i], pairs[i+1])
		}
	}
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}
