package control_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"portico"
	"portico/internal/auth"
	"portico/internal/control"
	"portico/internal/store"
)

// TestSignInOrganization: which organization a sign-in is for.
func TestSignInOrganization(t *testing.T) {
	t.Parallel()
	w := newIdentity(t)
	first, second := w.organization("First"), w.organization("Second")
	sandbox, err := w.CreateOrganization(t.Context(), control.OrganizationCreate{Name: "Try", Kind: portico.Sandbox, ParentID: first.ID})
	if err != nil {
		t.Fatal(err)
	}
	w.member(first, "boss@example.com", portico.Owner)
	w.member(sandbox, "ada@example.com", portico.Admin)
	signedInTo := func(o portico.Organization) portico.Principal {
		t.Helper()
		_, p := w.signIn("ada@example.com")
		if p.OrganizationID != o.ID || p.Kind != o.Kind {
			t.Errorf("signed in to %s, want %s", p.OrganizationID, o.Name)
		}
		return p
	}
	signedInTo(sandbox) // the only one
	w.pass(time.Minute)
	a := w.member(first, "ada@example.com", portico.Member)
	w.pass(time.Minute)
	w.member(second, "ada@example.com", portico.Member)
	p := signedInTo(sandbox) // the last one
	tokens, err := w.Switch(t.Context(), p, second.ID)
	if err != nil {
		t.Fatal(err)
	}
	if q := w.principal(tokens.AccessToken); q.OrganizationID != second.ID {
		t.Errorf("switched to %+v", q)
	}
	signedInTo(second)
	w.update(func(tx *store.Tx) error {
		_, err := tx.DeleteMembership(second.ID, a.ID)
		return err
	})
	signedInTo(first) // production before sandbox
	w.update(func(tx *store.Tx) error {
		for _, o := range []portico.Organization{first, sandbox} {
			if _, err := tx.DeleteMembership(o.ID, a.ID); err != nil {
				return err
			}
		}
		return nil
	})
	_, err = w.SignIn(t.Context(), "ada@example.com", goodPassword, home)
	wantKind(t, err, portico.KindForbidden)
	_, err = w.SignIn(t.Context(), "ada@example.com", "wrong", home)
	wantKind(t, err, portico.KindUnauthorized)
}

func TestSwitch(t *testing.T) {
	t.Parallel()
	w := newIdentity(t)
	o, other, foreign := w.organization("Acme"), w.organization("Other"), w.organization("Foreign")
	w.member(o, "ada@example.com", portico.Owner)
	w.member(other, "ada@example.com", portico.Member)
	before, p := w.signIn("ada@example.com")
	for _, id := range []string{foreign.ID, "", "org_x", "\x00", "\xff", strings.Repeat("x", 10000)} {
		_, err := w.Switch(t.Context(), p, id)
		if portico.KindOf(err) != portico.KindNotFound || portico.MessageOf(err) != "Not found" {
			t.Errorf("%.20q: got %v", id, err)
		}
	}
	after, err := w.Switch(t.Context(), p, other.ID)
	if err != nil {
		t.Fatal(err)
	}
	if q := w.principal(before.AccessToken); q.OrganizationID != o.ID || q.Role != portico.Owner {
		t.Errorf("the old access token stands for %+v now", q)
	}
	if q := w.principal(after.AccessToken); q.OrganizationID != other.ID || q.Role != portico.Member || q.SessionID == p.SessionID {
		t.Errorf("the new access token stands for %+v", q)
	}
	if err := w.Logout(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if q := w.principal(after.AccessToken); q.OrganizationID != other.ID {
		t.Errorf("signing out of the one ended the other: %+v", q)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	w := newIdentity(t)
	o := w.organization("Acme")
	portal := w.portal(o)
	w.member(o, "boss@example.com", portico.Owner)
	a := w.member(o, "ada@example.com", portico.Owner)
	w.update(func(tx *store.Tx) error {
		return tx.InsertMembership(portico.Membership{
			OrganizationID: portal.ID, AccountID: a.ID, Role: portico.Guest, CreatedAt: tx.Now, ModifiedAt: tx.Now,
		})
	})
	_, p := w.signIn("ada@example.com")
	for _, tt := range []struct {
		role         portico.Role
		owner, admin bool
	}{{portico.Owner, true, true}, {portico.Admin, false, true}, {portico.Member, false, false}} {
		if err := w.SetRole(t.Context(), o.ID, "ada@example.com", tt.role); err != nil {
			t.Fatal(err)
		}
		got, err := w.Load(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		if got.Role != tt.role || got.IsAccountOwner != tt.owner || got.IsAccountAdmin != tt.admin || got.IsPortalUser || got.PortalID != "" {
			t.Errorf("%s: got %+v", tt.role, got)
		}
		if got.Account.ID != a.ID || got.Account.Email != "ada@example.com" || got.Account.Name != "Ada" || got.OrganizationID != o.ID || got.OrganizationName != "Acme" {
			t.Errorf("%s: got %+v", tt.role, got)
		}
		want := []store.Affiliation{{Organization: o, Role: tt.role}, {Organization: portal, Role: portico.Guest}}
		if !slices.Equal(got.Organizations, want) {
			t.Errorf("%s: organizations %+v", tt.role, got.Organizations)
		}
	}
	tokens, err := w.Switch(t.Context(), p, portal.ID)
	if err != nil {
		t.Fatal(err)
	}
	guest := w.principal(tokens.AccessToken)
	got, err := w.Load(t.Context(), guest)
	if err != nil || !got.IsPortalUser || got.PortalID != portal.ID || got.Role != portico.Guest || got.IsAccountAdmin || got.IsAccountOwner {
		t.Errorf("as a guest: %+v, %v", got, err)
	}
	if err := w.RemoveMember(t.Context(), o.ID, "ada@example.com"); err != nil {
		t.Fatal(err)
	}
	_, err = w.Load(t.Context(), p)
	wantKind(t, err, portico.KindUnauthorized)
}

func TestLogout(t *testing.T) {
	t.Parallel()
	w := newIdentity(t)
	o := w.organization("Acme")
	w.member(o, "ada@example.com", portico.Owner)
	tokens, p := w.signIn("ada@example.com")
	for range 2 {
		if err := w.Logout(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.auth.Authenticate(t.Context(), "Bearer "+tokens.AccessToken, "192.0.2.1")
	wantKind(t, err, portico.KindUnauthorized)
	_, err = w.Refresh(t.Context(), tokens.RefreshToken, home)
	wantKind(t, err, portico.KindUnauthorized)
	events := w.events(o, portico.ActionOrganizationCreated, portico.ActionAccountCreated, portico.ActionSignedIn, portico.ActionSessionEnded)
	if in, out := events[2], events[3]; in.SubjectID != p.SessionID || in.RequestID != "req_1" || in.ActorID != p.AccountID ||
		out.SubjectID != p.SessionID || out.RequestID != "req_2" || out.ActorID != p.AccountID {
		t.Errorf("recorded %+v and %+v", in, out)
	}
}

func TestRefreshReuse(t *testing.T) {
	t.Parallel()
	w := newIdentity(t)
	o := w.organization("Acme")
	w.member(o, "ada@example.com", portico.Owner)
	first, p := w.signIn("ada@example.com")
	second, err := w.Refresh(t.Context(), first.RefreshToken, home)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := w.Refresh(t.Context(), first.RefreshToken, home); err != nil || again.RefreshToken != second.RefreshToken {
		t.Errorf("a lost answer: %+v, %v", again, err)
	}
	w.pass(time.Minute)
	for _, token := range []string{first.RefreshToken, second.RefreshToken, "nonsense"} {
		_, err := w.Refresh(t.Context(), token, home)
		wantKind(t, err, portico.KindUnauthorized)
		if portico.MessageOf(err) != "Could not validate credentials" {
			t.Errorf("it says %q", portico.MessageOf(err))
		}
	}
	events := w.events(o, portico.ActionOrganizationCreated, portico.ActionAccountCreated, portico.ActionSignedIn, portico.ActionSessionEnded)
	if e := events[3]; e.SubjectID != p.SessionID || e.Detail == "" {
		t.Errorf("recorded %+v", e)
	}
}

// TestGuestEvents: what a guest does in a portal is in the log of the
// organization that has the portal.
func TestGuestEvents(t *testing.T) {
	t.Parallel()
	w := newIdentity(t)
	o, elsewhere := w.organization("Acme"), w.organization("Elsewhere")
	portal := w.portal(o)
	a := w.member(elsewhere, "ada@example.com", portico.Member)
	w.update(func(tx *store.Tx) error {
		return tx.InsertMembership(portico.Membership{
			OrganizationID: portal.ID, AccountID: a.ID, Role: portico.Guest, CreatedAt: tx.Now, ModifiedAt: tx.Now,
		})
	})
	_, p := w.signIn("ada@example.com")
	tokens, err := w.Switch(t.Context(), p, portal.ID)
	if err != nil {
		t.Fatal(err)
	}
	guest := w.principal(tokens.AccessToken)
	if _, err := w.CreateToken(t.Context(), guest, control.TokenCreate{Name: "mine"}); err != nil {
		t.Fatal(err)
	}
	for _, e := range w.events(o, portico.ActionOrganizationCreated, portico.ActionSignedIn, portico.ActionTokenCreated)[1:] {
		if e.PortalID != portal.ID || e.ActorID != a.ID {
			t.Errorf("recorded %+v", e)
		}
	}
}

// TestDumpHoldsNothingUsable is A52 for all that identity hands out or takes.
func TestDumpHoldsNothingUsable(t *testing.T) {
	t.Parallel()
	w := newIdentity(t)
	o := w.organization("Acme")
	w.member(o, "ada@example.com", portico.Owner)
	first, p := w.signIn("ada@example.com")
	second, err := w.Refresh(t.Context(), first.RefreshToken, home)
	if err != nil {
		t.Fatal(err)
	}
	pat, err := w.CreateToken(t.Context(), p, control.TokenCreate{Name: "ci"})
	if err != nil {
		t.Fatal(err)
	}
	operators, err := w.CreateTokenFor(t.Context(), o.ID, "ada@example.com", control.TokenCreate{Name: "cd"})
	if err != nil {
		t.Fatal(err)
	}
	dump := w.dump()
	if !strings.Contains(dump, p.SessionID) || !strings.Contains(dump, pat.ID) {
		t.Fatal("the dump does not hold what it must")
	}
	for _, secret := range []string{
		goodPassword, first.AccessToken, second.AccessToken, pat.Secret, operators.Secret,
		first.RefreshToken, second.RefreshToken,
		lastPart(first.RefreshToken), lastPart(second.RefreshToken), lastPart(first.AccessToken),
		strings.TrimPrefix(pat.Secret, string(auth.PersonalToken)),
	} {
		if strings.Contains(dump, secret) {
			t.Errorf("the dump holds %.24q", secret)
		}
	}
	// Each stored value, tried as a credential, opens nothing.
	for value := range strings.FieldsSeq(dump) {
		for _, credential := range []string{value, string(auth.PersonalToken) + value} {
			if _, err := w.auth.Authenticate(t.Context(), "Bearer "+credential, value); err == nil {
				t.Errorf("the stored value %.24q is a credential", value)
			}
		}
		for _, token := range []string{value, string(auth.RefreshToken) + value, string(auth.RefreshToken) + p.SessionID + ".2." + value} {
			if _, err := w.auth.ReadRefresh(token); err == nil {
				t.Errorf("the stored value %.24q is a refresh token", value)
			}
		}
	}
}

func lastPart(token string) string { return token[strings.LastIndexByte(token, '.')+1:] }

// dump returns every value in every table of the registry, one a line.
func (w *identity) dump() string {
	w.Helper()
	var b strings.Builder
	err := w.store.Engine().Registry().View(w.Context(), func(q store.SQL) error {
		var tables []string
		rows, err := q.Query(`SELECT name FROM sqlite_master WHERE type = 'table'`)
		if err != nil {
			return err
		}
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return err
			}
			tables = append(tables, name)
		}
		rows.Close()
		for _, table := range tables {
			if err := dumpTable(&b, q, table); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil {
		w.Fatal(err)
	}
	return b.String()
}

func dumpTable(b *strings.Builder, q store.SQL, table string) error {
	rows, err := q.Query(`SELECT * FROM ` + table) //nolint:unqueryvet // a dump is of everything
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	for rows.Next() {
		values, dest := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			dest[i] = &values[i]
		}
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		for _, v := range values {
			fmt.Fprintln(b, v)
		}
	}
	return rows.Err()
}

// TestChallengeMailNames: a code or a link that anybody can ask for tells of a
// portal only whom it knows.
func TestChallengeMailNames(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	portal := o.portal("Call 555 0100 now")
	guest, stranger := o.account(o.by.OrganizationID, "guest@example.com"), o.account(o.by.OrganizationID, "stranger@example.com")
	o.invite(portal.ID, "guest@example.com") // who is linked at once
	for _, email := range []string{"guest@example.com", "stranger@example.com"} {
		if _, err := o.AskCode(t.Context(), control.Way{PortalID: portal.ID}, email, "browser", home); err != nil {
			t.Fatal(err)
		}
		o.no(o.AskReset(t.Context(), control.Way{PortalID: portal.ID}, email, home))
	}
	named := map[string]int{}
	o.no(o.store.View(t.Context(), func(tx *store.Tx) error {
		mails, err := tx.Mails(10)
		for _, m := range mails {
			if m.Template.Solicited() {
				named[m.AccountID+" "+m.PortalName+" "+m.Organization]++
			}
		}
		return err
	}))
	if named[guest+" "+portal.Name+" Acme"] != 2 || named[stranger+"  "] != 2 {
		t.Errorf("the mails name %v", named)
	}
}

// TestAskAgain: who asks for another invitation is noted once, and who
// administers the organization no more is not told of its guests.
func TestAskAgain(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	heir := o.account(o.by.OrganizationID, "heir@example.com")
	portal := o.portal("Late")
	o.invite(portal.ID, "late@example.com", "later@example.com")
	ways := map[string]control.Way{}
	o.no(o.store.Update(t.Context(), func(tx *store.Tx) error {
		all, err := tx.Invitations(portal.ID, store.Page{Limit: 10}, "")
		for _, i := range all {
			link := o.MailTarget(store.MailPage{Mail: store.Mail{
				Template: store.TemplateInvited, PortalID: portal.ID, InvitationID: i.ID, Generation: i.Generation,
			}}).Link
			ways[i.Email] = control.Way{PortalID: portal.ID, Token: link[strings.LastIndexByte(link, '/')+1:]}
			if _, err := tx.BounceInvitation(i.ID, i.Generation); err != nil {
				return err
			}
		}
		return err
	}))
	for day := range 3 {
		o.no(o.AskAgain(t.Context(), ways["late@example.com"], home))
		o.no(o.store.Update(t.Context(), func(tx *store.Tx) error {
			mails, err := tx.Mails(10)
			for _, m := range mails {
				if m.Template == store.TemplateAsked {
					m.State = portico.MailSent
					_, err = tx.SettleMail(m.Mail)
				}
			}
			tx.Now = tx.Now.Add(time.Duration(day+2) * portico.MailWindow)
			return errors.Join(err, tx.ForgetMails())
		}))
	}
	o.no(o.RemoveMember(t.Context(), o.by.OrganizationID, "admin@example.com"))
	o.no(o.AskAgain(t.Context(), ways["later@example.com"], home))
	told, noted := map[string]int{}, 0
	o.no(o.store.View(t.Context(), func(tx *store.Tx) error {
		mails, err := tx.Mails(10)
		for _, m := range mails {
			if m.Template == store.TemplateAsked {
				told[m.AccountID+" "+m.Guest]++
				if link := o.MailTarget(m).Link; !strings.HasSuffix(link, "/portals/"+portal.ID+"/guests") {
					t.Errorf("the inviter is led to %s", link)
				}
			}
		}
		if err != nil {
			return err
		}
		events, err := tx.FindEvents(o.by.OrganizationID, store.EventFilter{
			PortalID: portal.ID, Action: portico.ActionGuestAskedAgain, Limit: 10,
		})
		noted = len(events)
		return err
	}))
	if len(told) != 2 || told[o.by.AccountID+" late@example.com"] != 1 || told[heir+" later@example.com"] != 1 {
		t.Errorf("told: %v", told)
	}
	if noted != 2 {
		t.Errorf("noted %d times", noted)
	}
}

// TestCodesAfterFailures: from where too much failed not even the right code is
// taken, so that guesses learn nothing; from elsewhere it is.
func TestCodesAfterFailures(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	id, err := o.AskCode(t.Context(), control.Way{}, "admin@example.com", "browser", home)
	o.no(err)
	code := o.MailTarget(store.MailPage{Mail: store.Mail{Template: store.TemplateCode, ChallengeID: id}}).Code
	for range auth.FailureRate().Events {
		_, err := o.EnterCode(t.Context(), "", "no challenge", "browser", code, home)
		wantKind(t, err, portico.KindUnauthorized)
	}
	_, err = o.EnterCode(t.Context(), "", id, "browser", code, home)
	wantKind(t, err, portico.KindRateLimited)
	if a, err := o.EnterCode(t.Context(), "", id, "browser", code, control.Origin{Remote: "192.0.2.2"}); err != nil || a.Cookie == "" {
		t.Errorf("from elsewhere: %v", err)
	}
}

// TestAskingKeepsNobodyOut: whoever asks for a guest's codes elsewhere leaves
// some of the day's to them, where they came in before.
func TestAskingKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ask := func(from control.Origin) (string, error) {
		return o.AskCode(t.Context(), control.Way{}, "admin@example.com", "browser", from)
	}
	id, err := ask(home)
	o.no(err)
	code := o.MailTarget(store.MailPage{Mail: store.Mail{Template: store.TemplateCode, ChallengeID: id}}).Code
	_, err = o.EnterCode(t.Context(), "", id, "browser", code, home)
	o.no(err)
	mailed := 1
	for i := range 3 * portico.MaxSolicitedMail {
		if _, err := ask(control.Origin{Remote: fmt.Sprintf("198.51.100.%d", i)}); err == nil {
			mailed++
		}
	}
	if mailed >= portico.MaxSolicitedMail {
		t.Errorf("strangers had all %d mails of a day", mailed)
	}
	if _, err := ask(home); err != nil {
		t.Errorf("the holder is kept out: %v", err)
	}
}
