package identity

import (
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestOnePersonHasOnePhone(t *testing.T) {
	t.Parallel()
	f := func(raw, region, want string) {
		t.Helper()
		got, err := NormalisePhone(raw, region)
		if err != nil || got != want {
			t.Errorf("NormalisePhone(%q, %q) = %q, %v; want %q", raw, region, got, err, want)
		}
		if again, err := NormalisePhone(got, region); err == nil && again != got {
			t.Errorf("NormalisePhone(%q, %q) = %q: not idempotent", got, region, again)
		}
	}
	// Brazil: with and without the ninth digit, as people, wa_id and files write it.
	f("+5511999990000", "", "+5511999990000")
	f("+551199990000", "", "+5511999990000")
	f("5511999990000", "", "+5511999990000")
	f("551199990000", "", "+5511999990000")
	f("553199990000", "", "+5531999990000")
	f("+55 (31) 9999-0000", "", "+5531999990000")
	f("+55 31 7799-0000", "", "+5531977990000")
	f("(11) 99999-0000", "BR", "+5511999990000")
	f("11 9999-0000", "BR", "+5511999990000")
	f("011 99999-0000", "BR", "+5511999990000")
	f("5511999990000", "BR", "+5511999990000")
	f("0055 11 99999 0000", "", "+5511999990000")
	f("+55 11 3333-0000", "", "+551133330000") // a landline stays
	f("551133330000", "", "+551133330000")
	// Mexico: with and without the mobile 1.
	f("+52 1 55 1234 5678", "", "+525512345678")
	f("5215512345678", "", "+525512345678")
	f("525512345678", "", "+525512345678")
	f("55 1234 5678", "MX", "+525512345678")
	f("5215512345678", "MX", "+525512345678")
	// Argentina: with and without the mobile 9, and the national 15.
	f("+5491123456789", "", "+541123456789")
	f("5491123456789", "", "+541123456789")
	f("541123456789", "", "+541123456789")
	f("+54 11 15 2345 6789", "", "+541123456789")
	f("011 15-2345-6789", "AR", "+541123456789")
	f("+54 9 351 234 5678", "", "+543512345678")
	// The rest of the world.
	f("+44 (0)20 7946 0000", "", "+442079460000")
	f("+49 (0)30 1234567", "", "+49301234567")
	f("+39 06 12345678", "", "+390612345678") // Italy keeps its zero
	f("+1 650-555-1234", "", "+16505551234")
	f("+15550001234", "", "+15550001234") // possible, not in use: with + that is enough
	f("＋８６ １３８ ００１３ ８０００", "", "+8613800138000")
	f(" +91.98765.43210 ", "", "+919876543210")
	f("07911 123456", "GB", "+447911123456")
	f("+852 6123 4567", "BR", "+85261234567") // a + wins over the region
}

// TestAnOwnCodeWithoutThePlusIsRead: a number of the default region that is
// written with its country's code, as WhatsApp exports do, is that number,
// though many plans have room for the digits as a national number too.
func TestAnOwnCodeWithoutThePlusIsRead(t *testing.T) {
	t.Parallel()
	for region, number := range map[string]string{
		"DE": "+4915123456781", "AT": "+436641234567", "BR": "+5511999990000", "IN": "+919812345678", "IT": "+393331234567",
		"MX": "+525512345678", "GB": "+447911123456", "ES": "+34612345678", "US": "+12125550123", "ID": "+6281234567890",
	} {
		for _, raw := range []string{number, number[1:], "00" + number[1:]} {
			if strings.HasPrefix(raw, "00") && region != "DE" && region != "AT" && region != "IT" && region != "ES" && region != "GB" {
				continue // 00 is not how one dials abroad there
			}
			if got, err := NormalisePhone(raw, region); err != nil || got != number {
				t.Errorf("%s in %s: %s, %v", raw, region, got, err)
			}
		}
	}
}

func TestWhatIsNoPhoneIsRefusedWithoutQuotingIt(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"", " ", "+", "12", "+12", "+55119999", "+55119999900001234", "999990000", "11999990000", "15550001234",
		"ana@example.com", "1-800-FLOWERS", "+55 11 99999-0000 ext 5", "+55 11 99999-0000;ext=5", "tel:+5511999990000",
		"55+11999990000", "++5511999990000", "+999123456789", "+5511999990000\x00", "\xff\xfe5511999990000",
		strings.Repeat("5", 65), "+" + strings.Repeat(" ", 70) + "5511999990000",
	} {
		got, err := NormalisePhone(raw, "")
		if err == nil {
			t.Errorf("NormalisePhone(%q) = %q, want an error", raw, got)
			continue
		}
		if text := strings.TrimSpace(raw); len(text) > 2 && strings.Contains(err.Error(), text) {
			t.Errorf("the error %q quotes the input", err)
		}
	}
	if got, err := NormalisePhone("11999990000", "no such region"); err == nil {
		t.Errorf("a national number in an unknown region became %q", got)
	}
}

// The forms that skip the library must be what it would answer.
func TestCanonicalMobilesAreWhatTheLibrarySays(t *testing.T) {
	t.Parallel()
	for _, form := range canonicalMobiles {
		rapid.Check(t, func(t *rapid.T) {
			var phone strings.Builder
			for _, c := range form {
				low := map[rune]int{'a': 1, 'b': 2, 'c': 3, 'e': 6, 'd': 0}
				if from, isClass := low[c]; isClass {
					phone.WriteString(strconv.Itoa(rapid.IntRange(from, 9).Draw(t, "digit")))
				} else {
					phone.WriteRune(c)
				}
			}
			if !isCanonicalMobile(phone.String()) {
				t.Fatalf("%s does not match its form %s", phone.String(), form)
			}
			got, err := parsePhone(phone.String(), "", false)
			if err != nil || got != phone.String() {
				t.Fatalf("the library makes %q (%v) of %s", got, err, phone.String())
			}
		})
	}
}

func FuzzNormalisePhone(f *testing.F) {
	for _, raw := range []string{
		"+5511999990000", "5215512345678", "+54 11 15 2345 6789", "011 15-2345-6789", "(11) 9999-0000",
		"+44 (0)20 7946 0000", "0055119999990000", "٠٥٠١٢٣٤٥٦٧", "+1234567", "00", "+39 06 1", "+8001234567",
	} {
		for _, region := range []string{"", "BR", "MX", "AR", "US"} {
			f.Add(raw, region)
		}
	}
	f.Fuzz(func(t *testing.T, raw, region string) {
		phone, err := NormalisePhone(raw, region)
		if err != nil {
			return
		}
		if len(phone) < 5 || len(phone) > 20 || phone[0] != '+' || strings.Trim(phone[1:], "0123456789") != "" {
			t.Fatalf("NormalisePhone(%q, %q) = %q: not E.164", raw, region, phone)
		}
		for _, r := range []string{"", region} {
			if again, err := NormalisePhone(phone, r); err != nil || again != phone {
				t.Fatalf("NormalisePhone(%q, %q) = %q, of which it makes %q, %v", raw, region, phone, again, err)
			}
		}
	})
}

func BenchmarkNormalisePhone(b *testing.B) {
	for _, raw := range []string{"+5511999990000", "5511999990000", "+4930123456"} {
		b.Run(raw, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := NormalisePhone(raw, ""); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
