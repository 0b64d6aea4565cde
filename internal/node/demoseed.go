package node

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"portico"
	"portico/internal/auth"
	"portico/internal/control"
	"portico/internal/lifecycle"
	"portico/internal/store"
)

// The month that is told: how long it is, and how long invitations last in it.
const (
	seedDays           = 30
	seedInvitationDays = 7
)

// seedClock is the clock of a store that is being seeded: it stands in the past
// and moves when it is told to.
type seedClock struct {
	start time.Time // of the month
	at    atomic.Int64
}

func newSeedClock(now func() time.Time) *seedClock {
	if now == nil {
		now = time.Now
	}
	today := now().UTC().Truncate(24 * time.Hour)
	c := &seedClock{start: today.AddDate(0, 0, -seedDays)}
	c.set(c.start)
	return c
}

// Now returns the time in the month that is told.
func (c *seedClock) Now() time.Time { return time.UnixMicro(c.at.Load()).UTC() }

func (c *seedClock) set(t time.Time) { c.at.Store(t.UnixMicro()) }

// seedStep is something that happened at a time of the month.
type seedStep struct {
	at time.Time
	do func(ctx context.Context) error
}

// seeder tells a month of two organizations. What happens, to whom and when is
// the same in each run; credentials and ids are not.
type seeder struct {
	*Core

	clock  *seedClock
	random *mathrand.Rand
	people []demoPerson
	steps  []seedStep

	organizations []portico.Organization
	accounts      []DemoAccount
	staff         []portico.Principal // of accounts, in the same order
	portals       []portico.Portal
	known         map[string]bool // addresses that have a proven account
}

func newSeeder(core *Core, clock *seedClock) *seeder {
	random := mathrand.New(mathrand.NewPCG(8010, 9010)) //nolint:gosec // pictures, not secrets: it must be the same each time
	return &seeder{Core: core, clock: clock, random: random, people: demoPeople(random), known: map[string]bool{}}
}

func (s *seeder) run(ctx context.Context) (Demo, error) {
	for _, stage := range []func(context.Context) error{s.makeOrganizations, s.makeStaff, s.makeGuestAccount} {
		if err := stage(ctx); err != nil {
			return Demo{}, err
		}
	}
	plans := demoPortals()
	s.portals = make([]portico.Portal, len(plans))
	for i, plan := range plans {
		s.planPortal(i, plan)
	}
	s.planOffice()
	slices.SortStableFunc(s.steps, func(a, b seedStep) int { return a.at.Compare(b.at) })
	for _, step := range s.steps {
		s.clock.set(step.at)
		if err := step.do(ctx); err != nil {
			return Demo{}, err
		}
	}
	demo := Demo{Accounts: s.accounts}
	for _, p := range s.portals {
		demo.Portals = append(demo.Portals, DemoPortal{ID: p.ID, Name: p.Name})
	}
	return demo, s.clearJobs(ctx)
}

// clearJobs removes the jobs of projections: each was done with its call, and
// no runner is there to see to that.
func (s *seeder) clearJobs(ctx context.Context) error {
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		for _, p := range s.portals {
			jobs, err := tx.JobsOf(p.ID, lifecycle.ProjectJob)
			if err != nil {
				return err
			}
			for _, job := range jobs {
				if err := tx.DeleteJobs(job.ID); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// on adds a step at a time of a day of the month.
func (s *seeder) on(day, hour, minute int, do func(context.Context) error) {
	at := s.clock.start.AddDate(0, 0, day).Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
	s.steps = append(s.steps, seedStep{at.Add(time.Duration(s.random.IntN(60)) * time.Second), do})
}

// work adds a step at some time of a working day.
func (s *seeder) work(day int, do func(context.Context) error) {
	s.on(day, 8+s.random.IntN(10), s.random.IntN(60), do)
}

func (s *seeder) makeOrganizations(ctx context.Context) error {
	for _, plan := range demoOrganizations() {
		in := control.OrganizationCreate{Name: plan.name, Kind: plan.kind}
		if plan.parent >= 0 {
			in.ParentID = s.organizations[plan.parent].ID
		}
		o, err := s.Control.CreateOrganization(ctx, in)
		if err != nil {
			return err
		}
		s.organizations = append(s.organizations, o)
	}
	return nil
}

func (s *seeder) makeStaff(ctx context.Context) error {
	for _, who := range demoColleagues() {
		o := s.organizations[who.organization]
		password := newDemoPassword()
		made, err := s.Control.CreateAccount(ctx, control.AccountCreate{
			Email: who.email, Name: who.name, Password: password, OrganizationID: o.ID, Role: who.role,
		})
		if err != nil {
			return err
		}
		token, err := s.Control.CreateTokenFor(ctx, o.ID, who.email, control.TokenCreate{Name: "demo"})
		if err != nil {
			return err
		}
		s.accounts = append(s.accounts, DemoAccount{who.email, password, token.Secret, who.role, o.ID, o.Kind})
		s.staff = append(s.staff, portico.Principal{
			AccountID: made.Account.ID, OrganizationID: o.ID, Kind: o.Kind, Role: who.role, RequestID: "demo",
		})
	}
	return nil
}

// newDemoPassword returns four groups of five letters and digits.
func newDemoPassword() string {
	text := strings.ToLower(rand.Text())
	return strings.Join([]string{text[0:5], text[5:10], text[10:15], text[15:20]}, "-")
}

// makeGuestAccount makes the account of the guest who can sign in; the portal
// is still to come.
func (s *seeder) makeGuestAccount(ctx context.Context) error {
	guest, password := demoGuest(), newDemoPassword()
	hash, err := s.Auth.HashPassword(ctx, password, auth.PasswordOwner{Email: guest.email})
	if err != nil {
		return err
	}
	s.accounts = append(s.accounts, DemoAccount{Email: guest.email, Password: password, Role: portico.Guest, OrganizationKind: portico.PortalKind})
	s.known[guest.email] = true
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		account, err := provenDemoAccount(tx, guest)
		if err == nil {
			err = tx.InsertAccount(account)
		}
		if err == nil {
			err = tx.SetPassword(account.ID, hash)
		}
		return err
	})
}

func provenDemoAccount(tx *store.Tx, who demoPerson) (portico.Account, error) {
	address, err := portico.ParseAddress(who.email)
	return portico.Account{
		ID: tx.NewID(portico.PrefixAccount), Email: address.Stored, EmailKey: address.Key,
		Name: who.first + " " + who.last, Proven: true, CreatedAt: tx.Now,
	}, err
}

// planPortal plans a portal and what becomes of its guests.
func (s *seeder) planPortal(index int, plan demoPortal) {
	by := s.administrator(plan.organization)
	s.on(plan.day, 9, 5, func(ctx context.Context) (err error) {
		in := portico.PortalCreate{Name: plan.name}
		s.portals[index], err = s.Control.CreatePortal(ctx, by, control.Once{}, in)
		return err
	})
	if plan.description != "" || plan.domain != "" {
		change := portico.PortalUpdate{}
		if plan.description != "" {
			change.Description = portico.Change{Set: true, Value: &plan.description}
		}
		if plan.domain != "" {
			change.CustomDomain = portico.Change{Set: true, Value: &plan.domain}
		}
		s.work(plan.day+2, func(ctx context.Context) (err error) {
			s.portals[index], err = s.Control.UpdatePortal(ctx, by, control.Once{}, s.portals[index].ID, change)
			return err
		})
	}
	const last = seedDays - 1
	if index == 0 {
		s.work(plan.day+3, func(ctx context.Context) error { return s.admitGuest(ctx, by, s.portals[index]) })
		plan.active--
	}
	invite := s.invitations(index, plan, by)
	invite(plan.active, plan.day+3, last, guestActive)
	invite(plan.invited, last-4, last, guestInvited)
	invite(plan.expired, plan.day+3, last-seedInvitationDays-1, guestExpired)
	invite(plan.bounced, plan.day+3, last-2, guestBounced)
	invite(plan.removed, plan.day+3, last-2, guestRemoved)
}

// What becomes of an invited guest.
const (
	guestActive = iota
	guestInvited
	guestExpired
	guestBounced
	guestRemoved
)

// seedAtOnce is how many guests are invited in one call, at most.
const seedAtOnce = 9

// invitations returns what plans calls that invite so many people between two
// days.
func (s *seeder) invitations(index int, plan demoPortal, by portico.Principal) func(count, from, to, fate int) {
	return func(count, from, to, fate int) {
		guests := s.take(&plan, count, fate)
		for chunk := range slices.Chunk(guests, seedAtOnce) {
			day := from + s.random.IntN(to-from+1)
			s.work(day, func(ctx context.Context) error {
				return s.invite(ctx, by, s.portals[index], plan.message, chunk, fate)
			})
		}
	}
}

// take returns people who are not invited yet, with those that two portals
// share in front.
func (s *seeder) take(plan *demoPortal, count, fate int) []demoPerson {
	guests := make([]demoPerson, 0, count)
	if fate == guestActive && plan.shared > 0 {
		all := demoPeople(mathrand.New(mathrand.NewPCG(8010, 9010))) //nolint:gosec // as above
		guests = append(guests, all[:plan.shared]...)
	}
	rest := count - len(guests)
	guests = append(guests, s.people[:rest]...)
	s.people = s.people[rest:]
	return guests
}

func (s *seeder) administrator(organization int) portico.Principal {
	for i, who := range demoColleagues() {
		if who.organization == organization && who.role == portico.Admin {
			return s.staff[i]
		}
	}
	return portico.Principal{}
}

// invite invites guests and lets their fate happen.
func (s *seeder) invite(ctx context.Context, by portico.Principal, p portico.Portal, message string, guests []demoPerson, fate int) error {
	if fate == guestActive {
		if err := s.prove(ctx, guests); err != nil {
			return err
		}
	}
	in := portico.Invite{Message: message, SendEmail: fate == guestInvited}
	for _, g := range guests {
		in.Recipients = append(in.Recipients, portico.Recipient{Email: g.email, FirstName: g.first, LastName: g.last})
	}
	results, err := s.Control.InviteGuests(ctx, by, control.Once{}, p.ID, in)
	if err != nil {
		return err
	}
	ids := make([]string, len(results))
	for i, r := range results {
		ids[i] = r.UserID
	}
	s.clock.set(s.clock.Now().Add(20 * time.Minute))
	switch fate {
	case guestBounced:
		return s.bounce(ctx, p, ids)
	case guestRemoved:
		for _, id := range ids {
			if err := s.Control.RemoveGuest(ctx, by, control.Once{}, p.ID, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// prove makes accounts of people who proved their addresses elsewhere.
func (s *seeder) prove(ctx context.Context, people []demoPerson) error {
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		var accounts []portico.Account
		for _, who := range people {
			if s.known[who.email] {
				continue
			}
			account, err := provenDemoAccount(tx, who)
			if err != nil {
				return err
			}
			accounts = append(accounts, account)
		}
		return tx.InsertAccounts(accounts)
	})
	for _, who := range people {
		s.known[who.email] = true
	}
	return err
}

// bounce lets invitations come back.
func (s *seeder) bounce(ctx context.Context, p portico.Portal, ids []string) error {
	var row store.PortalRow
	var jobID string
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		invitations, err := tx.InvitationsOf(p.ID, ids)
		if err != nil {
			return err
		}
		var bounced []portico.Invitation
		for _, i := range invitations {
			i.State, i.ModifiedAt, i.ModifiedBy = portico.InvitationBounced, tx.Now, i.CreatedBy
			bounced = append(bounced, i)
		}
		slices.SortFunc(bounced, func(a, b portico.Invitation) int { return cmp.Compare(a.ID, b.ID) })
		if err := tx.SaveInvitations(bounced); err != nil {
			return err
		}
		if row, err = tx.PortalByID(p.ID); err != nil {
			return err
		}
		jobID, err = lifecycle.EnqueueProjection(tx, p.ID, ids)
		return err
	})
	if err != nil {
		return err
	}
	return s.Lifecycle.Project(ctx, row.ID, jobID, ids)
}

// admitGuest makes the guest who can sign in a guest, with a token for the
// portal.
func (s *seeder) admitGuest(ctx context.Context, by portico.Principal, p portico.Portal) error {
	guest := demoGuest()
	results, err := s.Control.InviteGuests(ctx, by, control.Once{}, p.ID, portico.Invite{
		Recipients: []portico.Recipient{{Email: guest.email, FirstName: guest.first, LastName: guest.last}}, SendEmail: true,
	})
	if err != nil {
		return err
	}
	token, err := s.Control.CreateToken(ctx, portico.Principal{
		AccountID: results[0].UserID, OrganizationID: p.ID, Kind: portico.PortalKind, Role: portico.Guest, RequestID: "demo",
	}, control.TokenCreate{Name: "demo"})
	if err != nil {
		return err
	}
	account := &s.accounts[len(s.accounts)-1]
	account.Token, account.OrganizationID = token.Secret, p.ID
	return nil
}

// planOffice plans what people do from day to day: they sign in, are refused,
// and change their minds about a name and a role.
func (s *seeder) planOffice() {
	for day := range seedDays {
		if weekday := s.clock.start.AddDate(0, 0, day).Weekday(); day == 0 || weekday == time.Saturday || weekday == time.Sunday {
			continue
		}
		for i, who := range s.staff {
			if who.Kind == portico.Production && s.random.IntN(3) > 0 {
				s.on(day, 8, s.random.IntN(60), s.record(i, portico.ActionSignedIn, "", nil))
			}
		}
		if day%6 == 5 {
			s.work(day, s.record(2, portico.ActionRefused, s.staff[2].AccountID, map[string]string{"operation": "invite_portal_user_bulk"}))
		}
	}
	firm, member := s.organizations[0].ID, demoColleagues()[2].email
	s.work(8, func(ctx context.Context) error { return s.Control.SetRole(ctx, firm, member, portico.Admin) })
	s.work(15, func(ctx context.Context) error { return s.Control.SetRole(ctx, firm, member, portico.Member) })
	for i, name := range []string{"Customer care and returns", "Customer Care"} {
		s.work(17+2*i, func(ctx context.Context) (err error) {
			s.portals[0], err = s.Control.UpdatePortal(ctx, s.staff[0], control.Once{}, s.portals[0].ID, portico.PortalUpdate{Name: &name})
			return err
		})
	}
}

// record returns a step that writes an audit record of what somebody did.
func (s *seeder) record(staff int, action portico.Action, subject string, detail any) func(context.Context) error {
	return func(ctx context.Context) error {
		who := s.staff[staff]
		e := portico.Event{OrganizationID: who.OrganizationID, ActorID: who.AccountID, Action: action, SubjectID: subject, RequestID: who.RequestID}
		if detail != nil {
			raw, err := json.Marshal(detail)
			if err != nil {
				return err
			}
			e.Detail = string(raw)
		}
		return s.Store.Update(ctx, func(tx *store.Tx) error { return tx.InsertEvents(e) })
	}
}
