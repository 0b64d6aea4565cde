package portico_test

import (
	"testing"
	"time"

	"portico"
)

func TestDecideAccept(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	stub := portico.Account{ID: "user_ada"}
	proven := portico.Account{ID: "user_ada", Proven: true}
	live := func(change func(*portico.Invitation)) *portico.Invitation {
		i := &portico.Invitation{Role: portico.Guest, State: portico.InvitationPending, Generation: 2, ExpiresAt: now.Add(time.Second)}
		if change != nil {
			change(i)
		}
		return i
	}
	state := func(s portico.InvitationState) *portico.Invitation {
		return live(func(i *portico.Invitation) { i.State = s })
	}
	as := func(role portico.Role) *portico.Invitation {
		return live(func(i *portico.Invitation) { i.Role = role })
	}
	expired := live(func(i *portico.Invitation) { i.ExpiresAt = now })
	newer := live(func(i *portico.Invitation) { i.Generation = 3 })
	for _, tt := range []struct {
		name string
		h    portico.Holding
		want portico.AcceptStep
	}{
		{"a new account", portico.Holding{Invitation: live(nil), Account: stub}, portico.StepProve},
		{"a proven account", portico.Holding{Invitation: live(nil), Account: proven}, portico.StepSignIn},
		{"signed in", portico.Holding{Invitation: live(nil), Account: proven, SignedIn: "user_ada"}, portico.StepJoin},
		{"signed in as somebody else", portico.Holding{Invitation: live(nil), Account: proven, SignedIn: "user_eve"}, portico.StepOther},
		{"new, signed in as somebody else", portico.Holding{Invitation: live(nil), Account: stub, SignedIn: "user_eve"}, portico.StepOther},
		{"expired to the moment", portico.Holding{Invitation: expired, Account: stub}, portico.StepExpired},
		{"expired, signed in as somebody else", portico.Holding{Invitation: expired, Account: stub, SignedIn: "user_eve"}, portico.StepExpired},
		{"its mail came back", portico.Holding{Invitation: state(portico.InvitationBounced), Account: stub}, portico.StepExpired},
		{"accepted", portico.Holding{Invitation: state(portico.InvitationAccepted), Account: proven}, portico.StepDone},
		{"accepted, shown to somebody else", portico.Holding{Invitation: state(portico.InvitationAccepted), Account: proven, SignedIn: "user_eve"}, portico.StepDone},
		{"revoked", portico.Holding{Invitation: state(portico.InvitationRevoked), Account: stub}, portico.StepRevoked},
		{"a newer mail", portico.Holding{Invitation: newer, Account: stub}, portico.StepReplaced},
		{"a token from the future", portico.Holding{Invitation: live(func(i *portico.Invitation) { i.Generation = 1 }), Account: stub}, portico.StepReplaced},
		{"removed", portico.Holding{}, portico.StepRemoved},
		{"another portal's", portico.Holding{Elsewhere: true}, portico.StepWrong},
		{"a member's, by an admin", portico.Holding{Inviter: portico.Admin, Invitation: as(portico.Member), Account: stub}, portico.StepProve},
		{"an owner's, by an owner", portico.Holding{Inviter: portico.Owner, Invitation: as(portico.Owner), Account: proven}, portico.StepSignIn},
		{"an owner's, by who is an admin now", portico.Holding{Inviter: portico.Admin, Invitation: as(portico.Owner), Account: proven}, portico.StepRevoked},
		{"an admin's, by who is a member now", portico.Holding{Inviter: portico.Member, Invitation: as(portico.Admin), Account: stub}, portico.StepRevoked},
		{"a member's, by who is gone", portico.Holding{Invitation: as(portico.Member), Account: stub}, portico.StepRevoked},
		{"no such portal", portico.Holding{Portal: portico.AdmitNobody, Invitation: live(nil), Account: stub}, portico.StepUnknown},
		{"the organization is suspended", portico.Holding{Portal: portico.AdmitClosed, Invitation: live(nil), Account: stub}, portico.StepClosed},
		{"the database is away", portico.Holding{Portal: portico.AdmitLater, Invitation: live(nil), Account: proven, SignedIn: "user_ada"}, portico.StepClosed},
	} {
		if tt.h.Portal == "" {
			tt.h.Portal = portico.AdmitStranger
		}
		if tt.h.Generation == 0 {
			tt.h.Generation = 2
		}
		got := portico.DecideAccept(tt.h, now)
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		opens := got == portico.StepProve || got == portico.StepSignIn || got == portico.StepJoin || got == portico.StepOther
		if got.Open() != opens || got.Renewable() != (got == portico.StepExpired) {
			t.Errorf("%s: open %t, renewable %t", tt.name, got.Open(), got.Renewable())
		}
	}
}

func TestAdmit(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	guest := portico.Visit{
		Portal: portico.Portal{State: portico.PortalActive}, SessionID: "sess_1", ExpiresAt: now.Add(1),
		Account: portico.Account{Proven: true, Email: "ada@example.com"}, Role: portico.Guest,
	}
	for _, tt := range []struct {
		name   string
		change func(*portico.Visit)
		want   portico.Admission
	}{
		{"a guest", func(*portico.Visit) {}, portico.AdmitGuest},
		{"no session", func(v *portico.Visit) { v.SessionID = "" }, portico.AdmitStranger},
		{"a session that ends now", func(v *portico.Visit) { v.ExpiresAt = now }, portico.AdmitStranger},
		{"an account that is not proven", func(v *portico.Visit) { v.Account.Proven = false }, portico.AdmitStranger},
		{"no member any more", func(v *portico.Visit) { v.Role = "" }, portico.AdmitStranger},
		{"another role", func(v *portico.Visit) { v.Role = portico.Owner }, portico.AdmitStranger},
		{"suspended", func(v *portico.Visit) { v.Suspended = true }, portico.AdmitClosed},
		{"suspended and away", func(v *portico.Visit) { v.Suspended, v.Portal.State = true, portico.PortalUnavailable }, portico.AdmitClosed},
		{"away", func(v *portico.Visit) { v.Portal.State = portico.PortalUnavailable }, portico.AdmitLater},
		{"deleting", func(v *portico.Visit) { v.Portal.State = portico.PortalDeleting }, portico.AdmitNobody},
		{"creating, suspended", func(v *portico.Visit) { v.Suspended, v.Portal.State = true, portico.PortalCreating }, portico.AdmitNobody},
		{"aborting", func(v *portico.Visit) { v.Portal.State = portico.PortalAborting }, portico.AdmitNobody},
		{"nobody's host", func(v *portico.Visit) { *v = portico.Visit{} }, portico.AdmitNobody},
	} {
		v := guest
		tt.change(&v)
		if got := v.Admit(now); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestVisitName(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]portico.Visit{
		"Countess":        {Account: portico.Account{Name: "Countess", Email: "ada@example.com"}, FirstName: "Ada"},
		"Ada Lovelace":    {Account: portico.Account{Email: "ada@example.com"}, FirstName: "Ada", LastName: "Lovelace"},
		"ada@example.com": {Account: portico.Account{Email: "ada@example.com"}},
	} {
		if got := v.Name(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
