package bench

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"portico"
	"portico/internal/store"
)

var (
	putAccount      = insert(`accounts (id, email, email_key, name, proven, created_at, last_organization_id)`)
	putInvitation   = insert(`invitations (id, portal_id, account_id, state, generation, first_name, last_name, message, expires_at, created_at, created_by, modified_at, modified_by)`)
	putEvent        = insert(`events (id, at, organization_id, portal_id, actor_id, action, subject_id, request_id, detail)`)
	putMail         = insert(`outbox (id, template, organization_id, portal_id, account_id, invitation_id, generation, inviter_id, held_by, state, attempts, run_at, created_at)`)
	putJob          = insert(`jobs (id, kind, portal_id, payload, run_at, attempts, lease_until, fence, last_error, created_at)`)
	putOrganization = insert(`organizations (id, kind, parent_id, name, suspended, created_at)`)
	putLabel        = insert(`api_names (api_name, portal_id)`)
	putPortal       = insert(`portals (id, api_name, description, custom_domain, domain_status, domain_verified_at, state, generation, attempts, last_error, lease_until, fence, request_id, search, created_by, modified_at, modified_by)`)
	putUser         = insert(`users (user_id, email, first_name, last_name, search, status, expires_at, created_at, created_by, modified_at, modified_by)`)
	putMembership   = insert(`memberships (user_id, role, document)`)
)

const (
	dropJob    = `DELETE FROM jobs WHERE id = ?`
	activate   = `UPDATE portals SET state = 'active', attempts = 0, last_error = '', lease_until = 0 WHERE id = ? AND state = 'creating'`
	rename     = `UPDATE organizations SET name = ? WHERE id = ?`
	describe   = `UPDATE portals SET description = ?, search = ?, modified_at = ?, modified_by = ? WHERE id = ?`
	readPortal = `SELECT o.parent_id, o.name, p.api_name, p.description, p.custom_domain, p.domain_status, p.state,
		p.generation, o.created_at, p.created_by, p.modified_at, p.modified_by
		FROM portals p JOIN organizations o ON o.id = p.id WHERE p.id = ?`
	readUsers = `SELECT user_id, email, first_name, last_name, status, expires_at, created_at, created_by, modified_at, modified_by
		FROM users ORDER BY created_at, user_id`
)

// floor serves the data work alone, on a folder that the product made.
type floor struct {
	dir                       string
	port                      string
	organization, actor, mark string
	ids                       *portico.IDSource
	template                  []byte
	registry                  *bareFile

	mu       sync.Mutex
	portals  map[string]*bareFile
	finished []string // jobs

	wake chan struct{}
	done sync.WaitGroup
}

// The identity in the template, to be written over.
const (
	templatePortal = "port_00000000000000000000000000"
	templateEpoch  = "epoch_00000000000000000000000000"
)

func openFloor(dir, port, organization, actor string) (*floor, error) {
	f := &floor{
		dir: dir, port: port, organization: organization, actor: actor, ids: portico.NewIDSource(time.Now),
		portals: map[string]*bareFile{}, wake: make(chan struct{}, 1),
	}
	var writes []string
	for _, t := range []table{putAccount, putInvitation, putEvent, putMail, putJob, putOrganization, putLabel, putPortal} {
		writes = append(writes, t.all()...)
	}
	var err error
	f.registry, err = openBare(filepath.Join(dir, "registry.db"), registryLimits,
		append(writes, dropJob, activate, rename, describe), []string{readPortal, `SELECT value FROM meta WHERE name = 'epoch'`})
	if err != nil {
		return nil, err
	}
	f.done.Go(f.dropFinished)
	row := f.registry.reads[`SELECT value FROM meta WHERE name = 'epoch'`].QueryRowContext(context.Background())
	if err := row.Scan(&f.mark); err != nil {
		return nil, errors.Join(err, f.close())
	}
	if f.template, err = makeTemplate(dir); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func makeTemplate(dir string) ([]byte, error) {
	path := filepath.Join(dir, "floor-template")
	steps, err := store.PortalMigrations()
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		return nil, err
	}
	for _, step := range steps {
		_, failed := db.ExecContext(context.Background(), step.SQL)
		err = errors.Join(err, failed)
	}
	_, failed := db.ExecContext(context.Background(), `INSERT INTO identity (portal_id, generation, epoch, schema_version, writes)
		VALUES (?, 1, ?, ?, 0); PRAGMA journal_mode = WAL`, templatePortal, templateEpoch, len(steps))
	if err = errors.Join(err, failed, db.Close()); err != nil {
		return nil, err
	}
	content, err := os.ReadFile(path)
	return content, errors.Join(err, os.Remove(path))
}

func (f *floor) close() error {
	close(f.wake)
	f.done.Wait()
	err := f.registry.close()
	for _, p := range f.portals {
		err = errors.Join(err, p.close())
	}
	return err
}

// portal returns the open database of a portal; all stay open.
func (f *floor) portal(id string) (*bareFile, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.portals[id]; p != nil {
		return p, nil
	}
	p, err := openBare(f.path(id), portalLimits, slices.Concat(putUser.all(), putMembership.all()), []string{readUsers})
	if err == nil {
		f.portals[id] = p
	}
	return p, err
}

// path is where the product has a portal's database too.
func (f *floor) path(id string) string {
	raw := strings.TrimPrefix(id, portico.PrefixPortal)
	return filepath.Join(f.dir, "portals", raw[len(raw)-2:], raw, portico.DatabaseName(id, 1)+".db")
}

// dropFinished deletes the jobs that were finished meanwhile, all in one
// transaction.
func (f *floor) dropFinished() {
	for range f.wake {
		f.mu.Lock()
		ids := f.finished
		f.finished = nil
		f.mu.Unlock()
		err := f.registry.update(func(run runner) error {
			for _, id := range ids {
				if err := run(dropJob, id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			panic(err)
		}
	}
}

func (f *floor) finish(job string) {
	f.mu.Lock()
	f.finished = append(f.finished, job)
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *floor) handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, serve := range map[string]func(*http.Request) (int, []byte, error){
		"GET /v1/portal/{id}/users":  f.list,
		"POST /v1/portal/{id}/users": f.invite,
		"POST /v1/portal":            f.create,
		"PATCH /v1/portal/{id}":      f.update,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			status, body, err := serve(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			w.WriteHeader(status)
			_, _ = w.Write(body)
		})
	}
	return mux
}

func (f *floor) create(r *http.Request) (int, []byte, error) {
	var in struct {
		Name        string  `json:"name"`
		Description *string `json:"description"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return 0, nil, err
	}
	id, label, now := f.ids.New(portico.PrefixPortal), strings.ToLower(in.Name), time.Now().UnixMicro()
	err := f.registry.update(func(run runner) error {
		return errors.Join(
			putOrganization.put(run, []any{id, "portal", f.organization, in.Name, 0, now}),
			putLabel.put(run, []any{label, id}),
			putPortal.put(run, []any{id, label, in.Description, nil, "", nil, "creating", 1, 0, "", now + 15e6, 1, id[5:],
				portico.SearchKey(in.Name, label), f.actor, now, f.actor}))
	})
	if err != nil {
		return 0, nil, err
	}
	if err := f.makeFile(id); err != nil {
		return 0, nil, err
	}
	err = f.registry.update(func(run runner) error {
		return errors.Join(run(activate, id),
			putEvent.put(run, []any{f.ids.New(portico.PrefixEvent), now, f.organization, id, f.actor, "portal.created", id, id[5:], ""}))
	})
	at := time.UnixMicro(now).UTC()
	return http.StatusCreated, appendPortal(nil, f.port, portico.Portal{
		ID: id, OrganizationID: f.organization, Name: in.Name, APIName: label, Description: in.Description,
		State: portico.PortalActive, CreatedAt: at, CreatedBy: f.actor, ModifiedAt: at, ModifiedBy: f.actor,
	}), err
}

// makeFile writes a portal's database, durable with its name and the names of
// the folders above it.
func (f *floor) makeFile(id string) error {
	path := f.path(id)
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	content := bytes.Replace(f.template, []byte(templatePortal), []byte(id), 1)
	content = bytes.Replace(content, []byte(templateEpoch), []byte(f.mark), 1)
	file, err := os.OpenFile(path+".new", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close(), os.Rename(path+".new", path)); err != nil {
		return err
	}
	for _, dir := range []string{folder, filepath.Dir(folder), filepath.Dir(filepath.Dir(folder))} {
		d, err := os.Open(dir)
		if err != nil {
			return err
		}
		if err := errors.Join(d.Sync(), d.Close()); err != nil {
			return err
		}
	}
	return nil
}

func (f *floor) update(r *http.Request) (int, []byte, error) {
	var in struct {
		Name        string  `json:"name"`
		Description *string `json:"description"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return 0, nil, err
	}
	var p portico.Portal
	err := f.registry.update(func(run runner) (err error) {
		if p, err = f.readPortal(r.PathValue("id")); err != nil {
			return err
		}
		now := time.Now()
		p.Name, p.Description, p.ModifiedAt, p.ModifiedBy = in.Name, in.Description, now, f.actor
		return errors.Join(run(rename, p.Name, p.ID),
			run(describe, p.Description, portico.SearchKey(p.Name, p.APIName), now.UnixMicro(), f.actor, p.ID),
			putEvent.put(run, []any{f.ids.New(portico.PrefixEvent), now.UnixMicro(), f.organization, p.ID, f.actor,
				"portal.updated", p.ID, p.ID[5:], `{"changed":["name","description"]}`}))
	})
	return http.StatusOK, appendPortal(nil, f.port, p), err
}

func (f *floor) readPortal(id string) (portico.Portal, error) {
	return portalOf(id, f.registry.reads[readPortal].QueryRowContext(context.Background(), id))
}

func portalOf(id string, row *sql.Row) (portico.Portal, error) {
	p := portico.Portal{ID: id}
	var created, modified int64
	err := row.Scan(&p.OrganizationID, &p.Name, &p.APIName,
		&p.Description, &p.CustomDomain, &p.DomainStatus, &p.State, &p.Generation, &created, &p.CreatedBy, &modified, &p.ModifiedBy)
	if err == nil && p.State != portico.PortalActive {
		err = fmt.Errorf("%s is %s", id, p.State)
	}
	p.CreatedAt, p.ModifiedAt = time.UnixMicro(created), time.UnixMicro(modified)
	return p, err
}
