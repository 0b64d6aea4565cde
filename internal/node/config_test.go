package node

import (
	"os"
	"strings"
	"testing"
)

// TestConfigDocs holds docs/config.md against the one table of settings.
func TestConfigDocs(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/config.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		cells := strings.Split(line, "|")
		if len(cells) != 7 || strings.HasPrefix(cells[1], "-") || strings.TrimSpace(cells[1]) == "setting" {
			continue
		}
		documented[strings.TrimSpace(cells[1])] = line
	}
	for _, s := range Settings() {
		line := documented[s.Name]
		delete(documented, s.Name)
		want := []string{"`" + s.Env() + "`", s.Doc}
		if s.Secret {
			want = append(want, "`"+s.Env()+"_FILE`")
			if strings.Contains(line, "`--") {
				t.Errorf("%s is a secret and is documented with a flag", s.Name)
			}
		} else {
			want = append(want, "`--"+s.Name+"`")
		}
		if s.Default != "" {
			want = append(want, "`"+s.Default+"`")
		}
		for _, w := range want {
			if !strings.Contains(line, w) {
				t.Errorf("docs/config.md: the line of %s lacks %s", s.Name, w)
			}
		}
	}
	for name := range documented {
		t.Errorf("docs/config.md: there is no setting %s", name)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	secret := t.TempDir() + "/secret"
	if err := os.WriteFile(secret, []byte("from the file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"PORTICO_DATA": "env", "PORTICO_LISTEN": "127.0.0.1:1", "PORTICO_ADMIN_EMAIL": "a@example.com", "PORTICO_ADMIN_PASSWORD_FILE": secret,
		"PORTICO_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8",
	}
	config, values, err := Load(map[string]string{"data": "flag"}, func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	if config.Data != "flag" || config.Listen != "127.0.0.1:1" || config.AdminPassword != "from the file" || config.PortalDomain != "localhost" || len(config.TrustedProxies) != 2 {
		t.Errorf("config: %+v", config)
	}
	origins := map[string]string{}
	for _, v := range values {
		origins[v.Name] = v.Origin
		if v.Secret && strings.Contains(v.Shown(), "file") {
			t.Errorf("%s is shown: %s", v.Name, v.Shown())
		}
	}
	for name, want := range map[string]string{
		"data": "flag", "listen": "PORTICO_LISTEN", "admin-password": "PORTICO_ADMIN_PASSWORD_FILE", "portal-domain": "default",
	} {
		if origins[name] != want {
			t.Errorf("%s comes from %q, want %q", name, origins[name], want)
		}
	}
	for _, bad := range []map[string]string{
		{"listen": "8010"}, {"invitation-days": "31"}, {"public-url": "portals.example.com"}, {"public-url": "https://x/y"},
		{"dev-mail": "true", "listen": "0.0.0.0:8010"}, {"dev-mail": "perhaps"}, {"admin-email": "a@b.co"},
		{"trusted-proxies": "0.0.0.0/0"}, {"trusted-proxies": "10.0.0.1;10.0.0.2"},
	} {
		if _, _, err := Load(bad, func(string) string { return "" }); err == nil {
			t.Errorf("%v is accepted", bad)
		}
	}
}
