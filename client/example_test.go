package client_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"portico/client"
)

// It needs a service to talk to, so it is compiled and not run.
func Example() { //nolint:testableexamples // nothing to compare without a service
	ctx := context.Background()
	c, err := client.New("http://localhost:8010", os.Getenv("PORTICO_TOKEN"))
	if err != nil {
		log.Fatal(err)
	}
	portal, err := c.CreatePortal(ctx, client.PortalCreate{Name: "Acme Customers"})
	if err != nil {
		log.Fatal(err)
	}
	answer, err := c.InviteGuests(ctx, portal.ID, client.Invite{Users: []client.Recipient{{Email: "ada@example.com"}}})
	if err != nil {
		log.Fatal(err)
	}
	for _, guest := range answer.Users {
		fmt.Println(guest.Email, guest.Status)
	}
}
