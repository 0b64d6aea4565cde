// Command goclient performs the six operations with the client that
// oapi-codegen made from the server's own document: goclient URL, with the
// token in PORTICO_TOKEN.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"portico/e2e/testdata/goclient/api"
)

func main() {
	if err := run(context.Background(), os.Args[1], os.Getenv("PORTICO_TOKEN")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, base, token string) error {
	authorize := func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
	c, err := api.NewClientWithResponses(base, api.WithRequestEditorFn(authorize))
	if err != nil {
		return err
	}
	made, err := c.CreatePortalV1PortalPostWithResponse(ctx, api.PortalCreateRequest{Name: "Generated in Go"})
	if err != nil || made.JSON201 == nil {
		return fmt.Errorf("create: %w, %+v", err, made)
	}
	id := made.JSON201.Id
	name := "Renamed in Go"
	changed, err := c.UpdatePortalV1PortalPortalIdPatchWithResponse(ctx, id, api.PortalUpdateRequest{Name: &name})
	if err != nil || changed.JSON200 == nil || changed.JSON200.Name != name || changed.JSON200.CustomDomain != nil {
		return fmt.Errorf("update: %w, %+v", err, changed)
	}
	invited, err := c.InvitePortalUserBulkV1PortalPortalIdUsersPostWithResponse(ctx, id, api.PortalUserInviteRequest{
		Users: []api.PortalUserInvite{{Email: "ada@example.com"}, {Email: "oops"}},
	})
	if err != nil || invited.JSON201 == nil || len(invited.JSON201.Users) != 2 {
		return fmt.Errorf("invite: %w, %+v", err, invited)
	}
	users, err := c.ListPortalUsersV1PortalPortalIdUsersGetWithResponse(ctx, id, nil)
	if err != nil || users.JSON200 == nil || len(*users.JSON200) != 1 {
		return fmt.Errorf("list: %w, %+v", err, users)
	}
	removed, err := c.RemovePortalUserV1PortalPortalIdUsersUserIdDeleteWithResponse(ctx, id, (*users.JSON200)[0].Id)
	if err != nil || removed.StatusCode() != http.StatusOK {
		return fmt.Errorf("remove: %w, %+v", err, removed)
	}
	refused, err := c.CreatePortalV1PortalPostWithResponse(ctx, api.PortalCreateRequest{})
	if err != nil || refused.JSON422 == nil || len(*refused.JSON422.Detail) != 1 {
		return fmt.Errorf("a refusal: %w, %+v", err, refused)
	}
	deleted, err := c.DeletePortalV1PortalPortalIdDeleteWithResponse(ctx, id)
	if err != nil || deleted.StatusCode() != http.StatusOK {
		return fmt.Errorf("delete: %w, %+v", err, deleted)
	}
	return nil
}
