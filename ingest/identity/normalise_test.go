package identity

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestNormaliseEmail(t *testing.T) {
	t.Parallel()
	f := func(raw, want string) {
		t.Helper()
		got, err := NormaliseEmail(raw)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("NormaliseEmail(%q) = %q, %v; want %q", raw, got, err, want)
		}
	}
	f("ana@example.com", "ana@example.com")
	f("  Ana.Silva+Shop@Example.COM\n", "ana.silva+shop@example.com")
	f("o'neil_99@sub.example.co.uk", "o'neil_99@sub.example.co.uk")
	f("josé@exemplo.com.br", "josé@exemplo.com.br")
	f("ana@münchen.example", "ana@münchen.example")
	f("a.n.a@gmail.com", "a.n.a@gmail.com") // no provider's tricks
	f("", "")
	f("ana", "")
	f("@example.com", "")
	f("ana@", "")
	f("ana@localhost", "")
	f("ana@@example.com", "")
	f("ana@b@example.com", "")
	f("ana silva@example.com", "")
	f("Ana <ana@example.com>", "")
	f("ana@example..com", "")
	f("ana@-example.com", "")
	f("ana@example.com-", "")
	f("ana@exam_ple.com", "")
	f("ana@10.0.0.1", "")
	f(".ana@example.com", "")
	f("ana..silva@example.com", "")
	f("ana\x00@example.com", "")
	f("ana\xff@example.com", "")
	f(strings.Repeat("a", 65)+"@example.com", "")
	f("ana@"+strings.Repeat("a", 64)+".com", "")
	f("ana@"+strings.Repeat("a.", 130)+"com", "")
}

func TestNormaliseBSUID(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 128)
	for raw, want := range map[string]string{
		"BR.13491208655302741918": "BR.13491208655302741918",
		" US.ENT.118157aB ":       "US.ENT.118157aB",
		"BR." + long:              "BR." + long,
		"BR." + long + "a":        "",
		"BR.ENT." + long + "a":    "",
		"BR.ENT.":                 "",
		"BR.ENT":                  "BR.ENT",
		"br.1349":                 "",
		"BRA.1349":                "",
		"BR.":                     "",
		"BR.13 49":                "",
		"BR.1349\n.x":             "",
		"BR.é":                    "",
		"5511999990000":           "",
		"":                        "",
	} {
		got, err := NormaliseBSUID(raw)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("NormaliseBSUID(%q) = %q, %v; want %q", raw, got, err, want)
		}
	}
}

func TestNormaliseExternal(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 256)
	for raw, want := range map[string]string{
		"1234":            "1234",
		"  Kunde Nr. 7\t": "Kunde Nr. 7",
		"a:b":             "a:b",
		long:              long,
		long + "e":        "",
		"":                "",
		" \t":             "",
		"a\nb":            "",
		"a\u0085b":        "",
		"a\xffb":          "",
	} {
		got, err := NormaliseExternal(raw)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("NormaliseExternal(%q) = %q, %v; want %q", raw, got, err, want)
		}
	}
}

func TestParseSubject(t *testing.T) {
	t.Parallel()
	f := func(subject, customer, namespace, value string) {
		t.Helper()
		gotNamespace, gotValue, err := ParseSubject(subject, customer)
		if value == "" {
			if err == nil {
				t.Errorf("ParseSubject(%q) = %s, %q; want an error", subject, gotNamespace, gotValue)
			} else if text := strings.TrimSpace(subject); len(text) > 3 && strings.Contains(err.Error(), text) {
				t.Errorf("the error %q quotes the subject", err)
			}
			return
		}
		if err != nil || gotNamespace != namespace || gotValue != value {
			t.Errorf("ParseSubject(%q) = %s, %q, %v; want %s, %q", subject, gotNamespace, gotValue, err, namespace, value)
		}
	}
	f("1234", "", NamespaceCustomer, "1234")
	f("1234", "external:crm", "external:crm", "1234")
	f("5511999990000", "", NamespaceCustomer, "5511999990000") // digits alone are a key
	f("5511999990000", NamespacePhone, NamespacePhone, "+5511999990000")
	f("Ana@Example.com", "", NamespaceEmail, "ana@example.com")
	f("+55 11 9999-0000", "", NamespacePhone, "+5511999990000")
	f("+12", "", NamespaceCustomer, "+12")
	f("@ana", "", NamespaceCustomer, "@ana")
	f("phone:+5511999990000", "", NamespacePhone, "+5511999990000")
	f("phone:5215512345678", "external:crm", NamespacePhone, "+525512345678")
	f("bsuid:BR.1349", "", NamespaceBSUID, "BR.1349")
	f("email: Ana@Example.com", "", NamespaceEmail, "ana@example.com")
	f("external:Shop:A1", "", "external:shop", "A1")
	f("external:shop:a:b", "", "external:shop", "a:b")
	f("external:shop:ana@example.com", "", NamespaceEmail, "ana@example.com")
	f("external:shop:+5511999990000", "", NamespacePhone, "+5511999990000")
	f("phone", "", NamespaceCustomer, "phone") // a prefix needs its colon
	f("shop:7", "", NamespaceCustomer, "shop:7")
	f("Phone:+5511999990000", "", NamespaceCustomer, "Phone:+5511999990000")

	for _, subject := range []string{
		"", "  ", "phone:", "phone:123", "email:ana", "bsuid:x", "external:", "external:shop", "external:shop:",
		"external::a", "external:my shop:a", "external:" + strings.Repeat("s", 65) + ":a", "a\nb", strings.Repeat("k", 513),
	} {
		f(subject, "", "", "")
	}
}

func TestCheckNamespace(t *testing.T) {
	t.Parallel()
	for _, namespace := range []string{NamespaceCustomer, "external:crm_2", NamespacePhone, NamespaceEmail, NamespaceBSUID} {
		if err := CheckNamespace(namespace); err != nil {
			t.Errorf("CheckNamespace(%q): %v", namespace, err)
		}
	}
	for _, namespace := range []string{"", "external", "external:", "external:a:b", "external:CRM", "crm"} {
		if CheckNamespace(namespace) == nil {
			t.Errorf("CheckNamespace(%q) accepts it", namespace)
		}
	}
}

// Whatever is accepted is printable UTF-8 in a known namespace, and is its own
// normal form.
func FuzzParseSubject(f *testing.F) {
	for _, subject := range []string{
		"1234", "phone:+5511999990000", "email:İa@example.com", "bsuid:BR.ENT.1", "external:Shop:ana@example.com",
		"external:shop:+54 9 11 2345 6789", "ana@ſ.com", "\u00a0x\u00a0", "external:é:1",
	} {
		f.Add(subject, "")
		f.Add(subject, NamespacePhone)
	}
	f.Fuzz(func(t *testing.T, subject, customer string) {
		if CheckNamespace(customer) != nil {
			customer = ""
		}
		namespace, value, err := ParseSubject(subject, customer)
		if err != nil {
			return
		}
		if err := CheckNamespace(namespace); err != nil {
			t.Fatalf("ParseSubject(%q): %v", subject, err)
		}
		if !utf8.ValidString(value) || value == "" || strings.ContainsFunc(value, unicode.IsControl) {
			t.Fatalf("ParseSubject(%q) = %s, %q", subject, namespace, value)
		}
		again, value2, err := ParseSubject(namespace+":"+value, customer)
		if err != nil || again != namespace || value2 != value {
			t.Fatalf("ParseSubject(%q) = %s, %q, which reads as %s, %q, %v", subject, namespace, value, again, value2, err)
		}
	})
}
