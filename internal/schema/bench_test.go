package schema

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
)

func thousand() []byte {
	body := []byte(`{"users":[`)
	for i := range 1000 {
		if i > 0 {
			body = append(body, ',')
		}
		body = fmt.Appendf(body, `{"email":"guest%04d@example.com","first_name":"Guest","last_name":"Nr %d"}`, i, i)
	}
	return append(body, `],"message":"Welcome","dry_run":true}`...)
}

func thousandModel() *Model[invite] {
	guests := Object[guest]("Guest",
		Required("email", func(v *guest) *string { return &v.Email }, String().Len(0, 320)),
		Optional("first_name", func(v *guest) *string { return &v.First }, String().Len(0, 80), ""),
		Optional("last_name", func(v *guest) *string { return &v.Last }, String().Len(0, 80), ""),
	)
	return Object[invite]("Invite",
		Required("users", func(v *invite) *[]guest { return &v.Users }, Array(guests).Len(1, 1000).Lift("email")),
		Optional("message", func(v *invite) **string { return &v.Message }, Null(String().Len(0, 1000)), nil),
		Optional("send_email", func(v *invite) *bool { return &v.Send }, Bool(), true),
		Optional("dry_run", func(v *invite) *bool { return &v.Dry }, Bool(), false),
	)
}

func BenchmarkDecode1000(b *testing.B) {
	body, m := thousand(), thousandModel()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		doc, err := ReadBody("application/json", body)
		if err != nil {
			b.Fatal(err)
		}
		if v, errs := m.Decode(doc); len(errs) > 0 || len(v.Users) != 1000 {
			b.Fatal(errs)
		}
	}
}

// BenchmarkDecode1000Std is the measure for BenchmarkDecode1000.
func BenchmarkDecode1000Std(b *testing.B) {
	body := thousand()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var v struct {
			Users []struct {
				Email string `json:"email"`
				First string `json:"first_name"`
				Last  string `json:"last_name"`
			} `json:"users"`
			Message *string `json:"message"`
			Dry     bool    `json:"dry_run"`
		}
		if err := json.Unmarshal(body, &v); err != nil {
			b.Fatal(err)
		}
	}
}

func hundred() []user {
	users := make([]user, 100)
	for i := range users {
		users[i] = ada()
	}
	return users
}

func BenchmarkEncode100(b *testing.B) {
	m, users := userModel(), hundred()
	dst := make([]byte, 0, 1<<16)
	b.ReportAllocs()
	for b.Loop() {
		dst = dst[:0]
		for i := range users {
			dst = m.AppendJSON(dst, &users[i])
		}
	}
	b.SetBytes(int64(len(dst)))
}

// BenchmarkEncode100ByHand is the measure for BenchmarkEncode100.
func BenchmarkEncode100ByHand(b *testing.B) {
	users := hundred()
	dst := make([]byte, 0, 1<<16)
	text := func(key string, s string) { dst = AppendString(append(dst, key...), s) }
	optional := func(key string, s *string) {
		if s == nil {
			dst = append(append(dst, key...), "null"...)
			return
		}
		text(key, *s)
	}
	b.ReportAllocs()
	for b.Loop() {
		dst = dst[:0]
		for i := range users {
			u := &users[i]
			text(`{"id":`, u.ID)
			text(`,"name":`, u.Name)
			text(`,"email":`, u.Email)
			text(`,"first_name":`, u.First)
			text(`,"last_name":`, u.Last)
			text(`,"status":`, u.Status)
			dst = strconv.AppendBool(append(dst, `,"is_active":`...), u.Active)
			dst = strconv.AppendBool(append(dst, `,"is_portal_user":`...), u.Portal)
			text(`,"portal_id":`, u.PortalID)
			text(`,"organization_id":`, u.OrganizationID)
			dst = AppendTime(append(dst, `,"created_date":`...), u.Created)
			dst = AppendTime(append(dst, `,"modified_date":`...), u.Modified)
			optional(`,"created_by":`, u.CreatedBy)
			optional(`,"modified_by":`, u.ModifiedBy)
			dst = append(dst, '}')
		}
	}
	b.SetBytes(int64(len(dst)))
}
