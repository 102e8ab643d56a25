package sandbox

import (
	"strings"
	"sync"
	"time"

	"github.com/goodhour/goodhour/ingest/identity"
)

// strangers are the people outside the world whom the sandbox has met, where it
// admits any. Each is made of its address: it does the same after a restart,
// though its index may be another.
type strangers struct {
	mu        sync.Mutex
	met       []*Customer
	byAddress map[string]int
}

// meet returns the place of the stranger with an address, which is made at the
// first meeting. What is no address is nobody's.
func (s *strangers) meet(w *World, phone, bsuid string) (int, bool) {
	var err error
	if phone != "" {
		phone, err = identity.NormalisePhone("+"+strings.TrimPrefix(phone, "+"), "")
	} else {
		bsuid, err = identity.NormaliseBSUID(bsuid)
	}
	if err != nil {
		return 0, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i, known := s.byAddress[phone+bsuid]
	if !known {
		if s.byAddress == nil {
			s.byAddress = make(map[string]int)
		}
		i = len(s.met)
		s.byAddress[phone+bsuid] = i
		s.met = append(s.met, w.stranger(phone, bsuid))
	}
	return i, true
}

func (s *strangers) at(i int) *Customer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.met[i]
}

// find returns the index of whoever has an address; a stranger's lies beyond
// the world's.
func (s *Sandbox) find(phone, bsuid string) (int, bool) {
	i, found := s.world.Find(phone, bsuid)
	if !found && s.config.AdmitStrangers {
		i, found = s.strangers.meet(s.world, phone, bsuid)
		i += s.world.Len()
	}
	return i, found
}

// isStranger says whether an index is nobody's of the world.
func (s *Sandbox) isStranger(i int) bool { return i < 0 || i >= s.world.Len() }

// customer returns whoever has an index.
func (s *Sandbox) customer(i int) *Customer {
	if s.isStranger(i) {
		return s.strangers.at(i - s.world.Len())
	}
	return &s.world.customers[i]
}

// stranger makes a person like those of the world. The name stays unknown: the
// shop that wrote knows it better.
func (w *World) stranger(phone, bsuid string) *Customer {
	r := w.strangerKey(phone + bsuid).random()
	c := &Customer{Index: -1, Phone: phone, BSUID: bsuid, TimeZone: "UTC", zone: time.UTC}
	home := homeOf(phone, bsuid)
	if home == nil {
		other := english("en", nil, nil)
		c.speech = &other
	} else {
		c.Country, c.TimeZone, c.speech = home.code, home.zones[0].name, &home.speech
		c.zone = loadZone(c.TimeZone)
	}
	c.Language = c.speech.language
	c.JoinedAt = w.joinedAt(r)
	c.truth = w.makeTruth(r, c)
	return c
}

func (w *World) strangerKey(address string) key { return w.key.with(strangerDraw).text(address) }

// homeOf is the country of an address, if the world knows it.
func homeOf(phone, bsuid string) *country {
	table := countries()
	for i := range table {
		c := &table[i]
		if phone != "" && strings.HasPrefix(phone, c.calling) || strings.HasPrefix(bsuid, c.code+".") {
			return c
		}
	}
	return nil
}

// addressOf takes apart what a submission keeps of a stranger.
func addressOf(stranger string) (phone, bsuid string) {
	if isPhone(stranger) {
		return stranger, ""
	}
	return "", stranger
}

// phoneOf is the phone of a submission's recipient; empty where the world does
// not know it.
func (s *Sandbox) phoneOf(one *Submission) string {
	if one.Customer < 0 {
		return ""
	}
	return s.customer(one.Customer).Phone
}
