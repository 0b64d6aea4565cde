package control_test

import (
	"strings"
	"testing"

	"portico"
	"portico/internal/control"
	"portico/internal/store"
)

// TestSignOutAtTheSignInHost: it ends that browser's session and no other, and
// is recorded with whose it was; so is the proof of an address.
func TestSignOutAtTheSignInHost(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	portal := o.portal("Recorded")
	o.invite(portal.ID, "guest@example.com")
	var link string
	o.no(o.store.View(t.Context(), func(tx *store.Tx) error {
		all, err := tx.Invitations(portal.ID, store.Page{Limit: 1}, "")
		for _, i := range all {
			link = o.MailTarget(store.MailPage{Mail: store.Mail{
				Template: store.TemplateInvited, PortalID: portal.ID, InvitationID: i.ID, Generation: i.Generation,
			}}).Link
		}
		return err
	}))
	way := control.Way{PortalID: portal.ID, Token: link[strings.LastIndexByte(link, '/')+1:]}
	first, err := o.Claim(t.Context(), "", way, goodPassword, "Guest", home)
	o.no(err)
	second, err := o.SignInBrowser(t.Context(), "", control.Way{}, "guest@example.com", goodPassword, home)
	o.no(err)
	o.no(o.store.Update(t.Context(), func(tx *store.Tx) error { return tx.EndBrowser("") }))
	for range 2 {
		o.no(o.SignOutBrowser(t.Context(), first.Cookie, home))
	}
	for cookie, in := range map[string]bool{first.Cookie: false, second.Cookie: true} {
		if d, err := o.Doorway(t.Context(), cookie, control.Way{}); err != nil || d.SignedIn() != in {
			t.Errorf("signed in: %v, want %v, %v", d.SignedIn(), in, err)
		}
	}
	for _, action := range []portico.Action{portico.ActionAccountProven, portico.ActionSessionEnded} {
		var events []portico.Event
		o.no(o.store.View(t.Context(), func(tx *store.Tx) (err error) {
			events, err = tx.FindEvents("", store.EventFilter{Action: action, Limit: 10})
			return err
		}))
		if len(events) != 1 || events[0].ActorID == "" || events[0].SubjectID == "" {
			t.Errorf("%s: %+v", action, events)
		}
	}
}
