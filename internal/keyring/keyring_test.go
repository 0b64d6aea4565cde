package keyring_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"portico/internal/keyring"
)

// secretHex is the secret of the tests: the bytes 0 to 31.
const secretHex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

func testRing(t testing.TB) *keyring.Ring {
	t.Helper()
	ring, err := keyring.Parse(secretHex)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestParse(t *testing.T) {
	t.Parallel()
	raw, err := hex.DecodeString(secretHex)
	if err != nil {
		t.Fatal(err)
	}
	high := bytes.Repeat([]byte{0xfb, 0xff, 0xbf, 1, 2, 3, 4, 5, 6, 7, 8}, 3)[:32]
	want := testRing(t).Fingerprint()
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"hex":               {secretHex, true},
		"upper-case hex":    {strings.ToUpper(secretHex), true},
		"white space":       {"\t" + secretHex + "\r\n", true},
		"base64":            {base64.StdEncoding.EncodeToString(raw), true},
		"unpadded base64":   {base64.RawStdEncoding.EncodeToString(raw), true},
		"empty":             {"", false},
		"blank":             {" \n", false},
		"short hex":         {secretHex[:62], false},
		"long hex":          {secretHex + "00", false},
		"no hex":            {strings.Repeat("g", 64), false},
		"short base64":      {base64.StdEncoding.EncodeToString(raw[:31]), false},
		"long base64":       {base64.StdEncoding.EncodeToString(append(raw, 1)), false},
		"a sentence":        {"correct horse battery staple", false},
		"zeros":             {strings.Repeat("0", 64), false},
		"a repeated phrase": {strings.Repeat("deadbeef", 8), false},
	} {
		ring, err := keyring.Parse(c.text)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !c.ok {
			if !strings.Contains(err.Error(), "openssl rand -hex 32") {
				t.Errorf("%s: %q does not say how to make a secret", name, err)
			}
			if text := strings.TrimSpace(c.text); text != "" && strings.Contains(err.Error(), text) {
				t.Errorf("%s: %q repeats the text", name, err)
			}
			continue
		}
		if got := ring.Fingerprint(); got != want {
			t.Errorf("%s: fingerprint %s, want %s", name, got, want)
		}
	}
	if _, err := keyring.Parse(base64.URLEncoding.EncodeToString(high)); err != nil {
		t.Errorf("URL alphabet: %v", err)
	}
}

// Keys must never change: what was signed, sealed or sent would be void. The
// values are HKDF-SHA256 without salt over the secret of the tests.
func TestDerivedKeysStayTheSame(t *testing.T) {
	t.Parallel()
	ring := testRing(t)
	sum := ring.MAC(keyring.LabelInvitations).Sum("a", "b")
	for name, c := range map[string]struct{ got, want string }{
		"fingerprint": {ring.Fingerprint(), "3671bd6fb7ea89d1"},
		"signing":     {hex.EncodeToString(ring.Ed25519(keyring.LabelAccessTokens).Public().(ed25519.PublicKey)[:8]), "a45ff520561d6637"},
		"mac":         {hex.EncodeToString(sum[:8]), "92ac0c71e4052b73"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", name, c.got, c.want)
		}
	}
}

func TestEveryPurposeHasItsOwnKeys(t *testing.T) {
	t.Parallel()
	other, _ := keyring.Generate()
	seen := map[string]string{}
	for i, ring := range []*keyring.Ring{testRing(t), other} {
		for _, label := range keyring.Labels() {
			sum := ring.MAC(label).Sum("message")
			for kind, key := range map[string]string{"mac": string(sum[:]), "ed25519": string(ring.Ed25519(label).Seed())} {
				name := fmt.Sprintf("ring %d, %s, %s", i, kind, label)
				if twin, dup := seen[key]; dup {
					t.Errorf("%s has the key of %s", name, twin)
				}
				seen[key] = name
			}
		}
	}
}

func TestSeal(t *testing.T) {
	t.Parallel()
	ring := testRing(t)
	other, _ := keyring.Generate()
	plain, ad := []byte("the certificate's key"), []byte("cert:1")
	sealed := ring.Seal(keyring.LabelStored, plain, ad)

	if bytes.Contains(sealed, plain) {
		t.Fatal("the plain text shows")
	}
	if bytes.Equal(sealed, ring.Seal(keyring.LabelStored, plain, ad)) {
		t.Error("two seals of one text are equal")
	}
	got, err := ring.Open(keyring.LabelStored, sealed, ad)
	if err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("got %q, %v", got, err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"another row":    func() ([]byte, error) { return ring.Open(keyring.LabelStored, sealed, []byte("cert:2")) },
		"another label":  func() ([]byte, error) { return ring.Open(keyring.LabelForms, sealed, ad) },
		"another secret": func() ([]byte, error) { return other.Open(keyring.LabelStored, sealed, ad) },
		"nothing":        func() ([]byte, error) { return ring.Open(keyring.LabelStored, nil, ad) },
		"version only":   func() ([]byte, error) { return ring.Open(keyring.LabelStored, sealed[:1], ad) },
	} {
		if got, err := open(); err == nil {
			t.Errorf("%s: opened as %q", name, got)
		}
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := ring.Open(keyring.LabelStored, bad, ad); err == nil {
			t.Errorf("opened with byte %d changed", i)
		}
	}
}

func TestMACFramesItsParts(t *testing.T) {
	t.Parallel()
	mac := testRing(t).MAC(keyring.LabelCursors)
	seen := map[[keyring.MACSize]byte]string{}
	for _, parts := range [][]string{{}, {""}, {"", ""}, {"abc"}, {"ab", "c"}, {"a", "bc"}, {"abc", ""}, {"", "abc"}} {
		sum := mac.Sum(parts...)
		if twin, dup := seen[sum]; dup {
			t.Errorf("%q has the sum of %s", parts, twin)
		}
		seen[sum] = fmt.Sprintf("%q", parts)
		if !mac.Equal(sum[:], parts...) {
			t.Errorf("%q: not equal to its own sum", parts)
		}
		if mac.Equal(sum[:31], parts...) || mac.Equal(nil, parts...) {
			t.Errorf("%q: a cut sum was taken", parts)
		}
	}
}

func TestMACIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	mac := testRing(t).MAC(keyring.LabelCursors)
	want := map[int][keyring.MACSize]byte{}
	for i := range 8 {
		want[i] = mac.Sum(strings.Repeat("x", i*40))
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 200 {
				if mac.Sum(strings.Repeat("x", i*40)) != want[i] {
					t.Errorf("message %d: another sum", i)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestNothingPrintsTheSecret(t *testing.T) {
	t.Parallel()
	ring := testRing(t)
	type config struct {
		Ring *keyring.Ring
		ring *keyring.Ring
		copy keyring.Ring
	}
	holder := config{ring, ring, *ring}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c"} {
		fmt.Fprintf(&out, verb+"\n", ring)
		fmt.Fprintf(&out, verb+"\n", holder)
		fmt.Fprintf(&out, verb+"\n", &holder)
		fmt.Fprintf(&out, verb+"\n", []*keyring.Ring{ring})
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("start", "ring", ring, "config", holder)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("start", "ring", ring, "config", holder)
	text, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	out.WriteString(ring.String() + ring.GoString() + (*keyring.Ring)(nil).String())

	printed := strings.ToLower(out.String())
	for _, canary := range []string{"0001020304", "0 1 2 3 4", "1, 2, 3", "0x1, 0x2", "01 02 03", "aaecaw", "\x01\x02\x03", `\x01\x02`} {
		if strings.Contains(printed, strings.ToLower(canary)) {
			t.Errorf("the secret shows as %q", canary)
		}
	}
	if !strings.Contains(printed, ring.Fingerprint()) {
		t.Error("the fingerprint does not show")
	}
}

func BenchmarkMAC(b *testing.B) {
	mac := testRing(b).MAC(keyring.LabelCursors)
	b.ReportAllocs()
	for b.Loop() {
		mac.Sum("/v1/portal", "limit=10", "port_00000000000000000000000000")
	}
}
