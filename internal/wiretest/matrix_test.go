package wiretest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"portico"
	"portico/internal/control"
	"portico/internal/lifecycle"
	"portico/internal/store"
	"portico/internal/store/postgres"
	"portico/internal/store/sqlite"
)

// place is a target of the matrix as it stands in the server.
type place struct {
	id         string
	guest      string
	invitation string // the guest's
	open       func() // lets what is held there go on; nil where nothing is
}

// matrix is a server with a portal in every state and a credential of every
// kind.
type matrix struct {
	*World

	stops       *Stops
	clock       *Clock
	places      map[string]place
	broken      []place // unavailable portals to be deleted
	credentials map[string]string
	stranger    place // another own portal, with its guest
	foreigner   place // another organization's
	waiting     sync.WaitGroup
	names       int
	cells       int
}

// TestMatrix checks every cell of the authorization matrix over HTTP.
func TestMatrix(t *testing.T) {
	t.Parallel()
	t.Run("A21 every cell of the authorization matrix", everyCell)
}

func everyCell(t *testing.T) {
	t.Parallel()
	m := &matrix{stops: NewStops(), clock: &Clock{}, places: map[string]place{}, credentials: map[string]string{}}
	m.clock.Move(-48 * time.Hour)
	m.World = Start(t, m.clock.Setup, m.stops.Setup)
	m.expiring()
	m.clock.Move(48 * time.Hour)
	m.portals()
	m.people()
	t.Cleanup(m.release)

	var late MatrixRow
	for _, row := range Matrix() {
		if strings.HasPrefix(row.Principals, "suspended") {
			late = row
			continue
		}
		m.checkRow(t, row)
	}
	if err := m.Node.Control.SuspendOrganization(t.Context(), m.Acme.ID); err != nil {
		t.Fatal(err)
	}
	m.checkRow(t, late)
	t.Logf("%d cells", m.cells)
	if len(m.credentials) > 0 {
		t.Errorf("credentials without a row: %v", m.credentials)
	}
}

// expiring makes the credentials that are to have expired.
func (m *matrix) expiring() {
	day := 1
	made, err := m.Node.Control.CreateTokenFor(m.T.Context(), m.Acme.ID, m.Admin.Email, control.TokenCreate{Name: "old", ExpiresInDays: &day})
	if err != nil {
		m.T.Fatal(err)
	}
	m.credentials["expired-token"] = "Bearer " + made.Secret
	m.credentials["expired-access"] = "Bearer " + m.SignIn(m.Admin.Email).Access
}

// portals makes a portal in every state.
func (m *matrix) portals() {
	t, admin := m.T, m.Admin.Token
	for range 12 {
		m.broken = append(m.broken, m.populated(admin))
	}
	m.takeAway()
	m.Restart(m.clock.Setup, m.stops.Setup)
	for _, p := range m.broken {
		if a := m.Do("GET", "/v1/portal/"+p.id+"/users", admin, nil); a.Status != http.StatusServiceUnavailable {
			t.Fatalf("a portal without its file: %d %s", a.Status, a.Body)
		}
	}
	m.places["t2c"], m.broken = m.broken[0], m.broken[1:]
	m.stranger = m.populated(admin)
	m.places["t2b'"] = m.aborting()
	m.places["t2b"] = m.creating()
	m.places["t2a"] = m.deleting()
	m.places["t1"] = m.populated(admin)
	m.places["t4"] = m.populated(m.OtherAdmin.Token)
	m.foreigner = m.places["t4"]
	gone := m.populated(admin)
	if a := m.Do("DELETE", "/v1/portal/"+gone.id, admin, nil); a.Status != http.StatusOK {
		t.Fatalf("delete: %d %s", a.Status, a.Body)
	}
	m.places["t3"] = gone
	m.places["t6"] = place{id: "port_01jz3h9g4k7m2p5r8t0v1t3o5v", guest: m.stranger.guest, invitation: m.stranger.invitation}
	m.places["t7"] = place{id: "port_01JZ3H9G4K7M2P5R8T0V1T3O5V.", guest: m.stranger.guest, invitation: m.stranger.invitation}
}

// populated returns a new portal with a guest.
func (m *matrix) populated(token string) place {
	m.T.Helper()
	a := m.Do("POST", "/v1/portal", token, `{"name":"Cell"}`)
	if a.Status != http.StatusCreated {
		m.T.Fatalf("create: %d %s", a.Status, a.Body)
	}
	p := place{id: a.ID(m.T)}
	return m.invited(token, p)
}

// invited returns the place with a new guest.
func (m *matrix) invited(token string, p place) place {
	m.T.Helper()
	address := m.address()
	p.guest = m.Invite(token, p.id, address)[0]
	var all []struct{ ID string }
	m.Do("GET", "/v1/portal/"+p.id+"/invitations?q="+address, token, nil).JSON(m.T, &all)
	if len(all) != 1 {
		m.T.Fatalf("%d invitations of %s", len(all), address)
	}
	p.invitation = all[0].ID
	return p
}

func (m *matrix) address() string {
	m.names++
	return fmt.Sprintf("guest-%d@example.com", m.names)
}

// background sends a request that will not be answered for a while.
func (m *matrix) background(method, path string, body any) {
	m.waiting.Go(func() { _, _ = Send(m.client, m.URL, method, path, m.Admin.Token, body) })
}

func (m *matrix) deleting() place {
	p := m.populated(m.Admin.Token)
	stop := m.stops.Hold(lifecycle.PointDeleteDatabase)
	m.background("DELETE", "/v1/portal/"+p.id, nil)
	<-stop.Reached()
	p.open = stop.Open
	return p
}

// takeAway removes the databases of the broken portals behind the server's
// back, and stops the server.
func (m *matrix) takeAway() {
	if m.Node.Config.DatabaseURL != "" {
		for _, p := range m.broken {
			err := m.Node.Store.Engine().Quarantine(m.T.Context(), m.Place(p.id))
			if err != nil {
				m.T.Fatal(err)
			}
		}
		m.Node.Close()
		return
	}
	m.Node.Close() // so that no handle keeps a removed file open
	for _, p := range m.broken {
		files, err := filepath.Glob(filepath.Join(m.Dir, "portals", "*", strings.TrimPrefix(p.id, portico.PrefixPortal), "*"))
		if err != nil || len(files) == 0 {
			m.T.Fatalf("the files of %s: %v %v", p.id, files, err)
		}
		for _, file := range files {
			if err := os.Remove(file); err != nil {
				m.T.Fatal(err)
			}
		}
	}
}

func (m *matrix) creating() place {
	stop := m.stops.Hold(lifecycle.PointCreateDatabase)
	m.background("POST", "/v1/portal", `{"name":"Creating"}`)
	<-stop.Reached()
	return place{id: m.unsettled(portico.PortalCreating), guest: m.stranger.guest, invitation: m.stranger.invitation, open: stop.Open}
}

// aborting fails a creation as often as it is tried, and holds its clean-up.
func (m *matrix) aborting() place {
	for range portico.MaxCreateAttempts {
		m.stops.Fail(lifecycle.PointCreateDatabase)
	}
	point := sqlite.FailDropDrained
	if m.Node.Config.DatabaseURL != "" {
		point = postgres.FailDropFenced
	}
	stop := m.stops.Hold(point)
	m.background("POST", "/v1/portal", `{"name":"Aborting"}`)
	<-stop.Reached()
	return place{id: m.unsettled(portico.PortalAborting), guest: m.stranger.guest, invitation: m.stranger.invitation, open: stop.Open}
}

func (m *matrix) unsettled(state portico.PortalState) string {
	m.T.Helper()
	var rows []store.PortalRow
	err := m.Node.Store.View(context.Background(), func(tx *store.Tx) (err error) {
		rows, err = tx.UnsettledPortals()
		return err
	})
	if err != nil {
		m.T.Fatal(err)
	}
	for _, row := range rows {
		if row.State == state {
			return row.ID
		}
	}
	m.T.Fatalf("no portal is %s", state)
	return ""
}

// release lets everything that is held go on and waits for its answers.
func (m *matrix) release() {
	for _, p := range m.places {
		if p.open != nil {
			p.open()
		}
	}
	m.waiting.Wait()
}

func (m *matrix) checkRow(t *testing.T, row MatrixRow) {
	for principal := range strings.FieldsSeq(row.Principals) {
		credential, ok := m.credentials[principal]
		if !ok {
			t.Fatalf("no credential for %s", principal)
		}
		delete(m.credentials, principal)
		for _, operation := range matrixOperations {
			targets := matrixTargets
			if operation == "C" || operation == "P" {
				targets = targets[:1]
			}
			for _, target := range targets {
				m.checkCell(t, row, principal, credential, operation, target)
			}
		}
		m.checkRoutes(t, row, principal, credential)
	}
}

// checkCell checks one cell. What a success would use up is made afresh.
func (m *matrix) checkCell(t *testing.T, row MatrixRow, principal, credential, operation, target string) {
	t.Helper()
	want, err := row.Want(operation, target)
	if err != nil {
		t.Fatal(err)
	}
	p := m.places[target]
	if good := want < 300; good && operation == "D" {
		p = m.doomed(target)
	} else if good && (operation == "R1" || operation == "X1") {
		p = m.invited(m.Admin.Token, p)
	}
	for _, whose := range m.whose(operation, p) {
		a := m.send(operation, p.id, whose, credential)
		m.cells++
		if a.Status != want {
			t.Errorf("%s, %s, %s: %d %s, want %d", principal, operation, target, a.Status, a.Body, want)
			continue
		}
		checkRefusal(t, principal+", "+operation+", "+target, a)
	}
	if p.open != nil && want < 300 {
		p.open()
	}
}

// whose returns the users or invitations that an operation is about; one that
// is empty where it is about none.
func (m *matrix) whose(operation string, p place) []string {
	users := map[string][]string{
		"1": {p.guest}, "2": {m.stranger.guest}, "3": {m.foreigner.guest},
		"4": {"user_01jz3h9g4k7m2p5r8t0v1t3o5v", "user_x", "x';--"},
	}
	if operation[0] != 'R' {
		users = map[string][]string{
			"1": {p.invitation}, "2": {m.stranger.invitation}, "3": {m.foreigner.invitation},
			"4": {"inv_01jz3h9g4k7m2p5r8t0v1t3o5v", "inv_x", "x';--"},
		}
	}
	if of := users[operation[1:]]; of != nil {
		return of
	}
	return []string{""}
}

// doomed returns a portal like the target that the request may delete. One
// that is being deleted goes on when the request has joined.
func (m *matrix) doomed(target string) place {
	switch target {
	case "t2a":
		p := m.deleting()
		joined := m.stops.Hold(control.PointRecorded)
		m.waiting.Go(func() {
			<-joined.Reached()
			joined.Open()
			p.open()
		})
		return p
	case "t2c":
		p := m.broken[0]
		m.broken = m.broken[1:]
		return p
	default:
		return m.populated(m.Admin.Token)
	}
}

func (m *matrix) send(operation, portal, whose, credential string) Answer {
	m.T.Helper()
	method, path := operationRoute(operation)
	path = strings.NewReplacer("{portal_id}", portal, "{user_id}", whose, "{invitation_id}", whose).Replace(path)
	var body any
	switch operation {
	case "C", "U":
		body = `{"name":"Cell"}`
	case "I":
		body = `{"users":["` + m.address() + `"]}`
	case "B":
		body = `{"invitations":["inv_x"]}`
	}
	return m.Do(method, path, "", body, "Authorization", credential)
}

// checkRefusal checks the fixed texts of refusals.
func checkRefusal(t *testing.T, cell string, a Answer) {
	t.Helper()
	texts := map[int][]string{
		401: {`{"detail":"Not authenticated"}`, `{"detail":"Could not validate credentials"}`},
		403: {`{"detail":"Only accessible by production organization administrators."}`, `{"detail":"Missing scope: `},
		404: {`{"detail":"Not found"}`},
	}[a.Status]
	if texts != nil && !slices.ContainsFunc(texts, func(text string) bool { return strings.HasPrefix(string(a.Body), text) }) {
		t.Errorf("%s: %d %s", cell, a.Status, a.Body)
	}
	if a.Status == http.StatusUnauthorized && a.Header.Get("Www-Authenticate") != "Bearer" {
		t.Errorf("%s: WWW-Authenticate is %q", cell, a.Header.Get("Www-Authenticate"))
	}
	if a.Status == http.StatusServiceUnavailable && a.Header.Get("Retry-After") == "" {
		t.Errorf("%s: no Retry-After", cell)
	}
	if a.Header.Get("X-Request-Id") == "" {
		t.Errorf("%s: no X-Request-Id", cell)
	}
}

func (m *matrix) checkRoutes(t *testing.T, row MatrixRow, principal, credential string) {
	t.Helper()
	for _, route := range RouteRows() {
		want := route.WantOf(row, principal)
		headers := []string{"Authorization", credential}
		var body any
		if route.Body != "" {
			body = route.Body
		}
		if route.Body == "{LOGIN}" {
			body = "grant_type=password&username=member@acme.example.com&password=" + strings.ReplaceAll(Password, " ", "+")
			headers = append(headers, "Content-Type", "application/x-www-form-urlencoded")
		}
		a := m.Do(route.Method, strings.NewReplacer("{pat_id}", "pat_unknown", "{user_id}", "user_unknown").Replace(route.Path), "", body, headers...)
		m.cells++
		if a.Status != want {
			t.Errorf("%s, %s %s: %d %s, want %d", principal, route.Method, route.Path, a.Status, a.Body, want)
		}
	}
}

// TestMatrixIsComplete fails when a route that is served has no row.
func TestMatrixIsComplete(t *testing.T) {
	t.Parallel()
	w := Start(t)
	rows := map[string]bool{}
	for _, operation := range matrixOperations {
		method, path := operationRoute(operation)
		rows[method+" "+path] = true
	}
	for _, row := range RouteRows() {
		rows[row.Method+" "+row.Path] = true
	}
	var routes []struct{ Method, Path string }
	w.Do("GET", "/v1/routes", w.Admin.Token, nil).JSON(t, &routes)
	if len(routes) < 22 {
		t.Errorf("%d routes", len(routes))
	}
	for _, route := range routes {
		if !rows[route.Method+" "+route.Path] {
			t.Errorf("%s %s has no row in the authorization matrix", route.Method, route.Path)
		}
	}
}
