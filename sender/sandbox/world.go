package sandbox

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"
	_ "time/tzdata" // customers' zones, also where the system has none

	"github.com/goodhour/goodhour/ingest/identity"
)

// WorldConfig says which world. The same values give the same world.
type WorldConfig struct {
	Seed      uint64 `json:"seed" yaml:"seed"`
	Customers int    `json:"customers" yaml:"customers"`
	// Start and End bound the past in which another tool sent messages; orders
	// begin ordersBefore earlier. The world goes on after End.
	Start time.Time `json:"start" yaml:"start"`
	End   time.Time `json:"end" yaml:"end"`
	// NumberID sent the past's messages. Empty means DefaultNumberID.
	NumberID string `json:"number_id" yaml:"number_id"`
	// Provider in the past's events. Empty means "sandbox".
	Provider string `json:"provider" yaml:"provider"`
	// Currency of all orders. Empty means USD.
	Currency string `json:"currency" yaml:"currency"`
}

// ordersBefore is how much further back than messages the orders go, so that
// rare buyers show their rhythm.
const ordersBefore = 360 * 24 * time.Hour

// customersMax keeps all phones of a country different.
const customersMax = 1_000_000

// Validate says what is wrong with the configuration.
func (c WorldConfig) Validate() error {
	switch {
	case c.Customers < 1 || c.Customers > customersMax:
		return fmt.Errorf("world: customers: want 1 to %d, got %d", customersMax, c.Customers)
	case !c.Start.Before(c.End):
		return errors.New("world: start must be before end")
	case c.Start.Year() < 1973:
		return errors.New("world: start must be in 1973 or later: events begin in 1971")
	}
	return nil
}

// Customer is a person of the world as the shop and WhatsApp know it.
type Customer struct {
	Index int
	// Key is the shop's own, in namespace identity.NamespaceCustomer.
	Key string
	// Phone in E.164; empty for the few who hide it behind a user name.
	Phone string
	// BSUID is Meta's id of the person; some have one.
	BSUID    string
	Email    string
	Name     string // as the shop has it and the profile shows it
	Country  string // ISO 3166-1 alpha-2
	TimeZone string // IANA; always true, though the shop may not know it
	Language string // BCP 47
	JoinedAt time.Time

	truth   Truth
	zone    *time.Location
	zoneNth int // index into World.zones
	speech  *speech
	given   string
	// zoneKnown says whether the shop knows the time zone.
	zoneKnown bool
}

// World is a seeded population. It is read only and safe for concurrent use.
type World struct {
	config    WorldConfig
	key       key
	customers []Customer
	zones     []*time.Location
	byPhone   map[string]int
	byBSUID   map[string]int
}

// NewWorld makes the customers. The configuration must be valid.
func NewWorld(config WorldConfig) *World {
	setDefault(&config.NumberID, DefaultNumberID)
	setDefault(&config.Provider, "sandbox")
	setDefault(&config.Currency, "USD")
	config.Start, config.End = config.Start.UTC(), config.End.UTC()
	w := &World{
		config: config, key: key(0).with(config.Seed),
		customers: make([]Customer, config.Customers),
		byPhone:   make(map[string]int, config.Customers), byBSUID: make(map[string]int),
	}
	table := countries()
	zoneNth := make(map[string]int)
	for _, c := range table {
		for _, z := range c.zones {
			zoneNth[z.name] = len(w.zones)
			w.zones = append(w.zones, loadZone(z.name))
		}
	}
	for i := range w.customers {
		c := &w.customers[i]
		w.makeCustomer(c, i, table)
		c.zoneNth = zoneNth[c.TimeZone]
		c.zone = w.zones[c.zoneNth]
		if c.Phone != "" {
			w.byPhone[c.Phone] = i
		}
		if c.BSUID != "" {
			w.byBSUID[c.BSUID] = i
		}
	}
	return w
}

// Len is the number of customers.
func (w *World) Len() int { return len(w.customers) }

// Customer returns a customer by its index.
func (w *World) Customer(i int) Customer { return w.customers[i] }

// Truth returns what really drives a customer.
func (w *World) Truth(i int) Truth { return w.customers[i].truth }

// Find returns the index of the customer with a phone (in any form that
// identity.NormalisePhone knows) or a BSUID, one of which is given.
func (w *World) Find(phone, bsuid string) (int, bool) {
	if phone != "" {
		e164, err := identity.NormalisePhone("+"+strings.TrimPrefix(phone, "+"), "")
		if err != nil {
			return 0, false
		}
		i, found := w.byPhone[e164]
		return i, found
	}
	i, found := w.byBSUID[bsuid]
	return i, found
}

func (w *World) makeCustomer(c *Customer, i int, table []country) {
	draw := w.key.with(customerDraw).with(uint64(i))
	r := draw.random()
	home := &table[pick(r, len(table), func(n int) int { return table[n].weight })]
	zone := pick(r, len(home.zones), func(n int) int { return home.zones[n].weight })
	given, family := oneOf(r, home.speech.given), oneOf(r, home.speech.family)
	*c = Customer{
		Index: i, Key: fmt.Sprintf("c-%06d", i), Country: home.code,
		TimeZone: home.zones[zone].name, Language: home.speech.language,
		Name: given + " " + family, given: given, speech: &home.speech, zoneKnown: r.Float64() < 0.94,
	}
	if home.code == "CN" {
		c.Name = family + given
	}
	c.Phone = home.phone(i)
	if share := r.Float64(); share < 0.30 {
		// 17 digits of a 64-bit key: no two are equal but by a very small chance.
		c.BSUID = fmt.Sprintf("%s.%017d", home.code, uint64(draw.text("bsuid"))%100_000_000_000_000_000)
		if share < 0.02 { // known by a user name only
			c.Phone = ""
		}
	}
	if r.Float64() < 0.5 {
		c.Email = fmt.Sprintf("customer%06d@mail.example", i)
	}
	c.JoinedAt = w.joinedAt(r)
	c.truth = w.makeTruth(r, c)
}

// joinedAt lies before Start for six of seven, and never in the last week.
func (w *World) joinedAt(r *rand.Rand) time.Time {
	from, to := w.config.Start.Add(-ordersBefore), w.config.Start
	if r.Float64() < 1.0/7 {
		from, to = w.config.Start, w.config.End.Add(-7*24*time.Hour)
	}
	span := max(to.Sub(from), time.Hour)
	return from.Add(time.Duration(r.Float64() * float64(span))).Truncate(time.Second)
}

// habits are what the customers of a tier have in common.
type habits struct {
	peak, second float64 // hours of attention
	orderMedian  float64
	conversion   float64 // of a read message, at the peak
	readLogit    float64
	// messagesPerDay of the tool before goodhour, which mostly wrote at its
	// house hours: not the best ones.
	messagesPerDay            float64
	houseHour, otherHouseHour int
}

// lowShare and midShare of the customers are in those tiers.
const (
	lowShare = 0.33
	midShare = 0.35
)

// habits of the tiers differ in the hours, so that segments have hours of their
// own to be learned.
func (t Tier) habits() habits {
	switch t {
	case Low:
		return habits{peak: 12, second: 20, orderMedian: 27, conversion: 0.04, readLogit: 0, messagesPerDay: 0.27, houseHour: 19, otherHouseHour: 10}
	case Mid:
		return habits{peak: 18, second: 9, orderMedian: 86, conversion: 0.07, readLogit: 0.2, messagesPerDay: 0.29, houseHour: 10, otherHouseHour: 15}
	default:
		return habits{peak: 20.5, second: 11, orderMedian: 300, conversion: 0.11, readLogit: 0.6, messagesPerDay: 0.33, houseHour: 10, otherHouseHour: 15}
	}
}

func drawTier(share float64) Tier {
	switch {
	case share < lowShare:
		return Low
	case share < lowShare+midShare:
		return Mid
	}
	return High
}

func (w *World) makeTruth(r *rand.Rand, c *Customer) Truth {
	tier := drawTier(r.Float64())
	of := tier.habits()
	t := Truth{
		Tier: tier, Consented: r.Float64() < 0.90, Reachable: r.Float64() < 0.985,
		MarketingBlocked: isUS(c.Phone), ReceiptsOff: r.Float64() < 0.12,
		OrderMedian:    of.orderMedian * math.Exp(0.2*r.NormFloat64()),
		ConversionRate: of.conversion * math.Exp(0.3*r.NormFloat64()),
		messagesPerDay: of.messagesPerDay,
	}
	if r.Float64() < 0.22 {
		since := c.JoinedAt.Add(30 * 24 * time.Hour)
		if span := w.config.End.Sub(since); span > 0 {
			t.ActiveUntil = since.Add(time.Duration(r.Float64() * float64(span)))
		}
	}
	t.OrdersPerDay = ordersPerDay(r.Float64())
	t.heat(r, of.readLogit)
	t.rhythm(r, of)
	return t
}

// ordersPerDay: buyers of about every month, quarter and year, and some who
// never buy.
func ordersPerDay(draw float64) float64 {
	switch {
	case draw < 0.40:
		return 1.0 / 30
	case draw < 0.73:
		return 1.0 / 80
	case draw < 0.90:
		return 1.0 / 220
	}
	return 0
}

// heat draws how much the customer cares for messages.
func (t *Truth) heat(r *rand.Rand, tierLogit float64) {
	mean, reply, optOut := 0.9, 0.14, 0.0015
	switch draw := r.Float64(); {
	case draw < 0.18:
		mean, reply, optOut = -2.4, 0.03, 0.02
	case draw < 0.50:
		mean, reply, optOut = -0.4, 0.08, 0.005
	}
	t.ReadLogit = mean + tierLogit + 0.5*r.NormFloat64()
	t.ReplyRate, t.OptOutRate = reply, optOut
	t.HourGain = 1.4 + 1.2*r.Float64()
}

// rhythm draws when. Three of four are like their tier.
func (t *Truth) rhythm(r *rand.Rand, of habits) {
	shift := 1.2 * r.NormFloat64()
	if r.Float64() < 0.25 {
		shift = 24 * r.Float64()
	}
	t.Peak, t.SecondPeak = clockHour(of.peak+shift), clockHour(of.second+shift)
}

// clockHour brings an hour into [0, 24).
func clockHour(h float64) float64 {
	h = math.Mod(h, 24)
	if h < 0 {
		h += 24
	}
	return h
}

func setDefault(value *string, otherwise string) {
	if *value == "" {
		*value = otherwise
	}
}

func oneOf(r *rand.Rand, list []string) string { return list[r.IntN(len(list))] }

// pick draws an index by its weight.
func pick(r *rand.Rand, n int, weight func(int) int) int {
	total := 0
	for i := range n {
		total += weight(i)
	}
	at := r.IntN(total)
	for i := range n {
		if at -= weight(i); at < 0 {
			return i
		}
	}
	return n - 1
}
