package node

import (
	"math/rand/v2"

	"portico"
)

// demoDomain is where every address of the demonstration ends: a name that is
// nobody's.
const demoDomain = "demo.example.org"

// demoPerson is somebody with a name.
type demoPerson struct{ first, last, email string }

// demoPeople returns every guest that the demonstration may need, in an order
// that is the same each time.
func demoPeople(random *rand.Rand) []demoPerson {
	// First and last names as written, and as they stand in an address.
	firsts := [][2]string{
		{"Amara", "amara"}, {"Anaïs", "anais"}, {"Bilal", "bilal"}, {"Chidi", "chidi"}, {"Dolores", "dolores"},
		{"Eirik", "eirik"}, {"Farida", "farida"}, {"Gérard", "gerard"}, {"Hanae", "hanae"}, {"Ines", "ines"},
		{"Jonas", "jonas"}, {"Keiko", "keiko"}, {"Léa", "lea"}, {"Małgorzata", "malgorzata"}, {"Nikhil", "nikhil"},
		{"Oluwaseun", "oluwaseun"}, {"Priya", "priya"}, {"Rosa", "rosa"}, {"Søren", "soren"}, {"Tomás", "tomas"},
	}
	lasts := [][2]string{
		{"Abernathy", "abernathy"}, {"Bergström", "bergstrom"}, {"Castillo", "castillo"}, {"Dubois", "dubois"},
		{"Eze", "eze"}, {"Fujimoto", "fujimoto"}, {"García", "garcia"}, {"Haddad", "haddad"}, {"Ivanova", "ivanova"},
		{"Jansen", "jansen"}, {"Kowalska", "kowalska"}, {"Lindqvist", "lindqvist"}, {"Mbeki", "mbeki"},
		{"Núñez", "nunez"}, {"Okafor", "okafor"}, {"Patel", "patel"}, {"Rossi", "rossi"}, {"Šimić", "simic"},
		{"Tanaka", "tanaka"}, {"Weiß", "weiss"},
	}
	people := make([]demoPerson, 0, len(firsts)*len(lasts))
	for _, first := range firsts {
		for _, last := range lasts {
			people = append(people, demoPerson{first[0], last[0], first[1] + "." + last[1] + "@" + demoDomain})
		}
	}
	random.Shuffle(len(people), func(i, j int) { people[i], people[j] = people[j], people[i] })
	return people
}

// demoStaff is somebody of the demonstration who can sign in.
type demoStaff struct {
	organization int // index into demoOrganizations
	role         portico.Role
	name, email  string
}

func demoColleagues() []demoStaff {
	return []demoStaff{
		{0, portico.Owner, "Maren Solberg", "owner@" + demoDomain},
		{0, portico.Admin, "Idris Quayle", "admin@" + demoDomain},
		{0, portico.Member, "Noor van Dijk", "member@" + demoDomain},
		{1, portico.Admin, "Beatriz Amaral", "admin.fieldstone@" + demoDomain},
		{2, portico.Admin, "Idris Quayle (sandbox)", "admin.sandbox@" + demoDomain},
	}
}

// demoGuest is the guest who can sign in.
func demoGuest() demoPerson { return demoPerson{"Yara", "Holm", "guest@" + demoDomain} }

// demoOrganization is an organization to make; parent is an index, or -1.
type demoOrganization struct {
	name   string
	kind   portico.OrganizationKind
	parent int
}

func demoOrganizations() []demoOrganization {
	return []demoOrganization{
		{"Harbour Lane Studio", portico.Production, -1},
		{"Fieldstone Energy", portico.Production, -1},
		{"Harbour Lane sandbox", portico.Sandbox, 0},
	}
}

// demoPortal is a portal to make, and its guests by what became of them.
type demoPortal struct {
	organization                      int
	day                               int // of the month that is told
	name, description, domain         string
	message                           string
	active, invited, expired, bounced int
	shared                            int // of the active ones: guests of the first portal too
	removed                           int // more than those: invited and removed again
}

// demoPortals returns six portals with 240 guests.
func demoPortals() []demoPortal {
	return []demoPortal{
		{
			organization: 0, day: 1, name: "Customer Care", description: "Tickets, manuals and release notes for customers.",
			message: "Welcome! Everything about your order is here.", active: 72, invited: 24, expired: 18, bounced: 6, removed: 3,
		},
		{
			organization: 0, day: 3, name: "Café Partners", description: "Price lists and opening hours for the cafés that sell our prints.",
			active: 34, invited: 12, expired: 10, bounced: 4, shared: 8,
		},
		{
			organization: 0, day: 6, name: "Investor Room", description: "Quarterly figures. Please do not pass them on.",
			domain:  "investors.harbourlane.example.com",
			message: "The figures of the quarter are ready.", active: 15, invited: 6, expired: 2, bounced: 1, shared: 2,
		},
		{
			organization: 1, day: 4, name: "Installer Network", description: "Wiring plans, training dates, spare parts.",
			active: 18, invited: 8, expired: 5, bounced: 2,
		},
		{organization: 1, day: 12, name: "Board Papers", active: 3},
		{organization: 0, day: 27, name: "Press Kit", description: "Nobody is invited yet."},
	}
}
