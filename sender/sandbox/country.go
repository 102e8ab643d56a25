package sandbox

import (
	"fmt"
	"strconv"
	"time"
)

// country is where customers live, how their phones look, and how they write.
type country struct {
	code    string // ISO 3166-1 alpha-2
	calling string // country code of phones, such as "+55"
	weight  int    // share of all customers, in percent
	zones   []zone
	speech  speech
	// phone makes the nth mobile of the country, in E.164.
	phone func(n int) string
}

type zone struct {
	name   string // IANA
	weight int
}

// speech is a language: BCP 47, names, and what customers write in it.
type speech struct {
	language string
	given    []string
	family   []string
	replies  []string
	// stop is a word of sender/stopword.
	stop string
}

// countries are those of the world. US numbers are few: Meta delivers no
// marketing to them.
func countries() []country {
	return []country{
		{"BR", "+55", 29, []zone{{"America/Sao_Paulo", 80}, {"America/Manaus", 20}}, portuguese(), brazilian},
		{"MX", "+52", 18, []zone{{"America/Mexico_City", 85}, {"America/Tijuana", 15}}, spanish("es-MX"), digits("+52", "55", 8)},
		{"IN", "+91", 17, []zone{{"Asia/Kolkata", 100}}, english("en-IN", []string{"Aarav", "Priya", "Rohan", "Ananya"}, []string{"Sharma", "Patel", "Nair", "Singh"}), digits("+91", "98", 8)},
		{"DE", "+49", 9, []zone{{"Europe/Berlin", 100}}, german(), digits("+49", "151", 8)},
		{"GB", "+44", 8, []zone{{"Europe/London", 100}}, english("en-GB", []string{"Oliver", "Amelia", "George", "Isla"}, []string{"Smith", "Jones", "Taylor", "Brown"}), digits("+44", "74", 8)},
		{"ES", "+34", 6, []zone{{"Europe/Madrid", 100}}, spanish("es-ES"), digits("+34", "6", 8)},
		{"CN", "+86", 5, []zone{{"Asia/Shanghai", 100}}, chinese(), digits("+86", "139", 8)},
		{"US", "+1", 4, []zone{{"America/New_York", 50}, {"America/Chicago", 30}, {"America/Los_Angeles", 20}}, english("en-US", []string{"James", "Mary", "Noah", "Emma"}, []string{"Johnson", "Miller", "Davis", "Moore"}), northAmerican},
		{"AE", "+971", 4, []zone{{"Asia/Dubai", 100}}, english("en-AE", []string{"Omar", "Layla", "Yusuf", "Noor"}, []string{"Haddad", "Khan", "Rahman", "Saleh"}), digits("+971", "50", 7)},
	}
}

func portuguese() speech {
	return speech{
		"pt-BR",
		[]string{"Ana", "João", "Beatriz", "Pedro", "Luíza", "Tiago"},
		[]string{"Silva", "Souza", "Oliveira", "Conceição", "Ramos"},
		[]string{"Obrigada!", "Tem em azul?", "Qual o prazo de entrega?", "Quero ver"},
		"SAIR",
	}
}

func spanish(language string) speech {
	return speech{
		language,
		[]string{"María", "José", "Lucía", "Andrés", "Sofía", "Íñigo"},
		[]string{"García", "Hernández", "Muñoz", "López", "Peña"},
		[]string{"¡Gracias!", "¿Lo tienen en azul?", "¿Qué plazo tiene el envío?", "Me interesa"},
		"BAJA",
	}
}

func english(language string, given, family []string) speech {
	return speech{
		language, given, family,
		[]string{"Thanks!", "Do you have it in blue?", "How long does shipping take?", "Show me"},
		"STOP",
	}
}

func german() speech {
	return speech{
		"de",
		[]string{"Jürgen", "Käthe", "Lukas", "Mia", "Björn", "Lena"},
		[]string{"Müller", "Weiß", "Schäfer", "Krüger", "Vogt"},
		[]string{"Danke!", "Gibt es das auch in Blau?", "Wie lange dauert der Versand?", "Gern"},
		"ABMELDEN",
	}
}

func chinese() speech {
	return speech{
		"zh-CN",
		[]string{"伟", "芳", "娜", "敏", "静"},
		[]string{"王", "李", "张", "刘", "陈"},
		[]string{"谢谢", "有蓝色的吗？", "多久能到？", "想看看"},
		"退订",
	}
}

// digits makes mobiles of a country code, a prefix and a fixed number of digits.
func digits(code, prefix string, length int) func(n int) string {
	return func(n int) string { return code + prefix + spread(n, length) }
}

// brazilian numbers lie in ten areas, some of whose wa_ids lack the ninth digit;
// without it a mobile begins with 6 to 9.
func brazilian(n int) string {
	areas := []int{11, 21, 19, 27, 31, 41, 48, 51, 71, 81}
	return "+55" + strconv.Itoa(areas[n%len(areas)]) + "98" + spread(n, 7)
}

// northAmerican numbers need a 2 to 9 after the area code.
func northAmerican(n int) string {
	areas := []int{212, 312, 415, 617, 713, 206}
	return "+1" + strconv.Itoa(areas[n%len(areas)]) + "5" + spread(n, 6)
}

// spread turns n into digits that look like chance; different n below the
// number of such digits give different ones.
func spread(n, length int) string {
	size := 1
	for range length {
		size *= 10
	}
	// 7 and 387,420,489 (3^18) are coprime to powers of 10: a permutation.
	return fmt.Sprintf("%0*d", length, (n*387420489+7)%size)
}

// waID is a phone as WhatsApp writes it, digits only: Brazilian mobiles outside
// the areas 11 to 28 without their ninth digit, Mexican ones with a 1 (see
// identity.NormalisePhone).
func waID(phone string) string {
	if phone == "" {
		return ""
	}
	number := phone[1:]
	switch {
	case len(number) == 13 && number[:2] == "55" && number[2] >= '3':
		return number[:4] + number[5:]
	case len(number) == 12 && number[:2] == "52":
		return "521" + number[2:]
	}
	return number
}

// isUS says whether a number is one to which Meta delivers no marketing: the
// world has no Canadian or Caribbean ones.
func isUS(phone string) bool { return len(phone) == 12 && phone[:2] == "+1" }

// loadZone loads a zone of the table above; the data is linked in.
func loadZone(name string) *time.Location {
	location, err := time.LoadLocation(name)
	if err != nil {
		panic("sandbox: " + name + " is no time zone: correct the table of countries")
	}
	return location
}
