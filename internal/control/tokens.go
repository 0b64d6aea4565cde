package control

import (
	"context"
	"slices"
	"time"

	"portico"
	"portico/internal/auth"
	"portico/internal/store"
)

// MaxTokenDays is the longest life of a personal access token that has an end.
const MaxTokenDays = 3650

// TokenCreate is a request for a personal access token.
type TokenCreate struct {
	Name          string
	ExpiresInDays *int     // nil: never
	Scopes        []string // nil: all
}

// Token is a personal access token as its owner sees it.
type Token struct {
	ID         string
	Name       string
	Scopes     []portico.Scope // nil means all
	Secret     string          // the token itself: only in the answer that made it
	CreatedAt  time.Time
	ExpiresAt  *time.Time // nil: never
	LastUsedAt *time.Time // nil: not yet
}

func (c *Control) token(t store.Token) Token {
	return Token{
		ID: t.ID, Name: t.Name, Scopes: t.Scopes,
		CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt, LastUsedAt: c.auth.LastUsed(t),
	}
}

// ListTokens returns the caller's personal access tokens for the organization
// that the caller is in, oldest first.
func (c *Control) ListTokens(ctx context.Context, p portico.Principal) ([]Token, error) {
	if err := p.MayManageTokens(); err != nil {
		return nil, err
	}
	var rows []store.Token
	err := c.store.View(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.Tokens(p.AccountID, p.OrganizationID)
		return err
	})
	tokens := make([]Token, len(rows))
	for i, row := range rows {
		tokens[i] = c.token(row)
	}
	return tokens, err
}

// CreateToken makes a personal access token for the caller, bound to the
// organization that the caller is in. Its secret is shown this once.
func (c *Control) CreateToken(ctx context.Context, p portico.Principal, in TokenCreate) (Token, error) {
	if err := p.MayManageTokens(); err != nil {
		return Token{}, err
	}
	draft, err := in.check()
	if err != nil {
		return Token{}, err
	}
	var t Token
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Membership(p.OrganizationID, p.AccountID); err != nil {
			return notMember(err)
		}
		event, err := eventOf(tx, p, portico.ActionTokenCreated)
		if err != nil {
			return err
		}
		t, err = c.insertToken(tx, draft, p.AccountID, p.OrganizationID, event)
		return err
	})
	return t, err
}

// CreateTokenFor makes a personal access token for a member of an
// organization. It is an operator's command.
func (c *Control) CreateTokenFor(ctx context.Context, organizationID, email string, in TokenCreate) (Token, error) {
	address, err := portico.ParseAddress(email)
	if err != nil {
		return Token{}, err
	}
	draft, err := in.check()
	if err != nil {
		return Token{}, err
	}
	var t Token
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		o, err := ordinaryOrganization(tx, organizationID)
		if err != nil {
			return err
		}
		m, err := memberByKey(tx, o, address)
		if err != nil {
			return err
		}
		t, err = c.insertToken(tx, draft, m.AccountID, o.ID, operatorEvent(o.ID, portico.ActionTokenCreated, "", nil))
		return err
	})
	return t, err
}

// RevokeToken ends one of the caller's own tokens for the organization that
// the caller is in, from the next request on.
func (c *Control) RevokeToken(ctx context.Context, p portico.Principal, id string) error {
	if err := p.MayManageTokens(); err != nil {
		return err
	}
	return c.store.Update(ctx, func(tx *store.Tx) error {
		gone, err := tx.DeleteToken(id, p.AccountID, p.OrganizationID)
		if err != nil {
			return err
		}
		if !gone {
			return portico.Errorf(portico.KindNotFound, "Not found")
		}
		event, err := eventOf(tx, p, portico.ActionTokenRevoked)
		if err != nil {
			return err
		}
		event.SubjectID = id
		return tx.InsertEvents(event)
	})
}

func (c *Control) insertToken(tx *store.Tx, draft tokenDraft, accountID, organizationID string, event portico.Event) (Token, error) {
	secret, hash := auth.PersonalToken.New()
	row := store.Token{
		ID: tx.NewID(portico.PrefixToken), AccountID: accountID, OrganizationID: organizationID,
		Name: draft.name, Hash: hash, Scopes: draft.scopes, CreatedAt: tx.Now,
	}
	if draft.days > 0 {
		end := tx.Now.AddDate(0, 0, draft.days)
		row.ExpiresAt = &end
	}
	if err := tx.InsertToken(row); err != nil {
		return Token{}, err
	}
	event.SubjectID, event.Detail = row.ID, detail{"name": row.Name, "scopes": row.Scopes, "account": accountID}.json()
	t := c.token(row)
	t.Secret = secret
	return t, tx.InsertEvents(event)
}

// tokenDraft is what of a token follows from a request that was checked.
type tokenDraft struct {
	name   string
	scopes []portico.Scope // nil means all
	days   int             // 0: for ever
}

func (in TokenCreate) check() (tokenDraft, error) {
	name, err := cleanName(in.Name)
	if err != nil {
		return tokenDraft{}, err
	}
	draft := tokenDraft{name: name}
	if days := in.ExpiresInDays; days != nil {
		if *days < 1 || *days > MaxTokenDays {
			return tokenDraft{}, portico.FieldErrorf("expires_in_days", "a token lasts from 1 to %d days", MaxTokenDays)
		}
		draft.days = *days
	}
	if in.Scopes != nil {
		draft.scopes = []portico.Scope{}
	}
	for _, word := range in.Scopes {
		scope, err := portico.ParseScope(word)
		if err != nil {
			return tokenDraft{}, err
		}
		if !slices.Contains(draft.scopes, scope) {
			draft.scopes = append(draft.scopes, scope)
		}
	}
	return draft, nil
}

func cleanName(s string) (string, error) {
	name, err := portico.CleanName(s)
	if err != nil {
		return "", portico.FieldErrorf("name", "%s", portico.MessageOf(err))
	}
	return name, nil
}
